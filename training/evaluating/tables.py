"""Reports as tables: Markdown for the model card and for eyes, CSV for programs."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.sanitise import visible
from training.evaluating.evaluation import RECALLS, SMALL
from training.evaluating.operating import Point

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_NOTE = (
    "In brackets 95 % intervals; photos of one object count as one. Precision: where 0.1, 1 or 5 % of photos show the "
    f"category.\n\n\\* Fewer than {SMALL} objects: a small sample."
)


def without_nan(value: Any) -> Any:
    """``value`` with None for every number that is not one: JSON has no nan."""
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def markdown(report: dict[str, Any]) -> str:
    """Categories, kinds, groups and sources of :func:`training.evaluating.evaluation.report`, and the places found by
    :func:`training.evaluating.localisation.localisation`, where it has them; small samples are marked.
    """
    parts = (
        _categories(report), _precision(report), _kinds(report), *_places(report), _groups(report), _NOTE, *_too_few(report)
    )  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _too_few(report: dict[str, Any]) -> list[str]:
    """What to know of a false-positive rate finer than the photos without a category can show."""
    least = min(row["negatives"] for row in report["categories"].values())
    return [
        f"Of {least} photos without a category none may be above the threshold of {100 * rate:g} % FPR: recall is that "
        f"above the highest of them; {1 / rate:,.0f} would be needed to allow one."
        for rate in RECALLS.values()
        if least * rate < 1
    ]


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
        "| category | threshold | recall | false positives (95 % bound) | precision (at it) | reviews a day (at it) |",
        "|---|---|---|---|---|---|",
    ]
    for category, rows in table.items():
        for point in dict.fromkeys(rows):
            mark = "**" if chosen[category] == point else ""
            lines.append(
                f"| {category} | {mark}{point.threshold:.4f}{mark} | {_share(point.recall)} "
                f"| {100 * point.false_positive_rate:.2f} % ({100 * point.false_positive_rate_upper:.2f} %) "
                f"| {_share(point.precision)} ({_share(point.precision_lower)}) "
                f"| {point.reviews_per_day:.0f} ({point.reviews_per_day_upper:.0f}) |"
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
        cells = [_number(row[key]) for key in ("auroc", *RECALLS, "average_precision")]
        lines.append(f"| {name} | {_count(row, 'positives')} | {' | '.join(cells)} | {row['ece']:.4f} |")
    return "\n".join(lines)


def _precision(report: dict[str, Any]) -> str:
    lines = [
        "| category | verdict | recall | false positives | precision at 0.1 % | at 1 % | at 5 % |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in report["categories"].items():
        for verdict, point in row.get("shipped", {}).items():
            ends = point["intervals"]
            precision = ends["precision_at_prevalence"]
            cells = [
                _share(point["recall"], ends["recall"]),
                _share(point["false_positive_rate"], ends["false_positive_rate"], 2),
                *(_share(value, precision[key]) for key, value in point["precision_at_prevalence"].items()),
            ]
            lines.append(f"| {name} | {verdict} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _kinds(report: dict[str, Any]) -> str:
    lines = ["| category / kind | n | recall at the shipped threshold | recall at 1 % FPR |", "|---|---|---|---|"]
    lines += [
        f"| {_cell(name)} | {_count(row)} | {_share(row['recall'], row['interval'])} | {_share(row['recall_at_1pct_fpr'])} |"
        for name, row in report["kinds"].items()
    ]
    return "\n".join(lines)


def _places(report: dict[str, Any]) -> list[str]:
    rows = report.get("localisation", {})
    lines = [
        "| category, found, object known | n | peak of the map on the object (area of the object) | overlap of the box "
        "(of the whole picture) | box overlaps by half |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {_count(row)} | {_number(row['peak_on_object'])} ({_share(row['object_share'], digits=0)}) | "
        f"{_number(row['overlap'])} ({row['overlap_of_whole_picture']:.2f}) | {_number(row['half_overlap'])} |"
        for name, row in rows.items()
    ]
    return ["\n".join(lines)] if rows else []


def _groups(report: dict[str, Any]) -> str:
    lines = [
        "| group or source | photos | products found | other photos with a finding | share with a finding |",
        "|---|---|---|---|---|",
    ]
    for part in ("groups", "sources"):
        for name, row in report[part].items():
            lines.append(
                f"| {_cell(name) or '(no source)'} | {_count(row)} | {row['products_found']} of {row['products']} "
                f"| {row['others_found']} | {_share(row['share'], row['interval'])} |"
            )
    return "\n".join(lines)


def _cell(name: str) -> str:
    """A kind or source, which others named, for a table: a kind of two categories has a bar in its name."""
    return visible(name).replace("|", "\\|")


def _count(row: dict[str, Any], key: str = "photos") -> str:
    return f"{row[key]}\\*" if row["instances"] < SMALL else str(row[key])


def _number(cell: dict[str, Any]) -> str:
    value, (low, high) = cell["value"], cell["interval"]
    if value is None:
        return "-"
    return f"{value:.3f}" if low is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _share(value: float | None, interval: Sequence[float | None] = (None, None), digits: int = 1) -> str:
    if value is None or math.isnan(value):
        return "-"
    low, high = interval
    ends = "" if low is None or high is None else f" [{100 * low:.{digits}f}, {100 * high:.{digits}f}]"
    return f"{100 * value:.{digits}f} %{ends}"
