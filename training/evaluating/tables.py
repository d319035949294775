"""Reports as tables: Markdown for the model card and for eyes, CSV for programs."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.evaluating.evaluation import SMALL
from training.evaluating.operating import Point

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_NOTE = f"\\* Fewer than {SMALL} photos: a small sample."


def without_nan(value: Any) -> Any:
    """``value`` with None for every number that is not one: JSON has no nan."""
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def markdown(report: dict[str, Any]) -> str:
    """Categories, kinds, groups and sources of :func:`training.evaluating.evaluation.report`; small samples are marked."""
    parts = (_categories(report), _precision(report), _kinds(report), _groups(report), _NOTE)
    return "\n\n".join(parts) + "\n"


def write_csv(rows: "Sequence[DataclassInstance]", path: Path) -> None:
    """The fields of ``rows``, all of one kind and at least one, as CSV; numbers with four decimals."""
    lines = [asdict(row) for row in rows]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, lines[0].keys(), lineterminator="\n")
        writer.writeheader()
        for line in lines:
            writer.writerow({k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()})


def operating_points(table: Mapping[str, Sequence[Point]], chosen: Mapping[str, Point]) -> str:
    """Thresholds of :func:`training.evaluating.operating.points`; the chosen ones in bold."""
    lines = [
        "| category | threshold | recall | false positives (95 % bound) | precision | reviews a day |",
        "|---|---|---|---|---|---|",
    ]
    for category, rows in table.items():
        for point in dict.fromkeys(rows):
            mark = "**" if chosen[category] == point else ""
            lines.append(
                f"| {category} | {mark}{point.threshold:.4f}{mark} | {_share(point.recall)} "
                f"| {100 * point.false_positive_rate:.2f} % ({100 * point.false_positive_rate_upper:.2f} %) "
                f"| {_share(point.precision)} | {point.reviews_per_day:.0f} |"
            )
    return "\n".join(lines) + "\n"


def _categories(report: dict[str, Any]) -> str:
    lines = [
        "| category | n | AUROC | recall at 1 % FPR | recall at 0.1 % FPR | AP | ECE |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in report["categories"].items():
        if row["positives"] == 0:
            lines.append(f"| {name} | 0 | | | | | |")
            continue
        cells = [
            _interval(row[key]) for key in ("auroc", "recall_at_1pct_fpr", "recall_at_0.1pct_fpr", "average_precision")
        ]
        lines.append(f"| {name} | {_count(row['positives'])} | {' | '.join(cells)} | {row['ece']:.4f} |")
    return "\n".join(lines)


def _precision(report: dict[str, Any]) -> str:
    lines = [
        "| category | verdict | recall | false positives | precision at 0.1 % | at 1 % | at 5 % |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in report["categories"].items():
        for verdict, point in row.get("shipped", {}).items():
            values = " | ".join(_share(value) for value in point["precision_at_prevalence"].values())
            alarms = _share(point["false_positive_rate"], 2)
            lines.append(f"| {name} | {verdict} | {_share(point['recall'])} | {alarms} | {values} |")
    return "\n".join(lines)


def _kinds(report: dict[str, Any]) -> str:
    lines = ["| category / kind | n | recall at the shipped threshold | recall at 1 % FPR |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {_count(row['photos'])} | {_share(row['recall'])} | {_share(row['recall_at_1pct_fpr'])} |"
        for name, row in report["kinds"].items()
    ]
    return "\n".join(lines)


def _groups(report: dict[str, Any]) -> str:
    lines = [
        "| group or source | photos | products found | other photos with a finding | share with a finding |",
        "|---|---|---|---|---|",
    ]
    for part in ("groups", "sources"):
        for name, row in report[part].items():
            low, high = row["interval"]
            lines.append(
                f"| {name} | {_count(row['photos'])} | {row['products_found']} of {row['products']} | {row['others_found']} "
                f"| {_share(row['share'])} [{100 * low:.1f}, {100 * high:.1f}] |"
            )
    return "\n".join(lines)


def _count(photos: int) -> str:
    return f"{photos}\\*" if photos < SMALL else str(photos)


def _interval(cell: dict[str, Any]) -> str:
    low, high = cell["interval"]
    if low is None:
        return "-"
    return f"{cell['value']:.3f} [{low:.3f}, {high:.3f}]"


def _share(value: float | None, digits: int = 1) -> str:
    return "-" if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"
