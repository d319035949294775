"""What the steps of :mod:`benchmarks.overload` gave: rows, their promises, a table and a picture."""

import csv
import statistics
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One step. Times in milliseconds, rates per second, shares of all cores."""

    factor: float
    capacity: float
    offered: float
    goodput: float
    share: float
    share_left: float
    p50: float
    p99: float
    spread: float
    refused: int
    refused_p50: float
    refused_p99: float
    refused_max: float
    unanswered: int
    other: int
    client_late_p99: float
    client_cpu: float
    server_cpu: float
    memory_mb: float
    memory_growth_mb: float

    def broken(self) -> list[str]:
        """The promises that this step broke."""
        checks = {
            "goodput < 90 % of what the client left": self.share_left < 0.9,
            "p99 > 3 x p50": self.spread > 3,
            "a refusal took 50 ms": self.refused_max >= 50,
            "not answered": self.unanswered + self.other > 0,
            "memory grew": self.memory_growth_mb > 50,
        }
        return [f"{self.factor:g}x: {name}" for name, wrong in checks.items() if wrong]


def combined(rows: list[Row]) -> Row:
    """The rounds of one step as one row."""
    worst = ("refused_p99", "refused_max", "unanswered", "other", "memory_mb", "memory_growth_mb")
    values = {name: [getattr(row, name) for row in rows] for name in vars(rows[0])}
    return Row(**{name: max(v) if name in worst else statistics.median(v) for name, v in values.items()})


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = [
        "| load | capacity/s | offered/s | goodput/s | share | share left | p50 ms | p99 ms | p99/p50 | refused "
        "| refusal p50/p99/max ms | unanswered | client CPU | sent late p99 ms | memory MB (growth) |",
        "|---" * 15 + "|",
    ]
    for row in rows:
        lines.append(
            f"| {row.factor:g}x | {row.capacity:.1f} | {row.offered:.1f} | {row.goodput:.1f} "
            f"| {row.share:.0%} | {row.share_left:.0%} | {row.p50:.0f} | {row.p99:.0f} | {row.spread:.2f} "
            f"| {row.refused:.0f} | {row.refused_p50:.1f} / {row.refused_p99:.1f} / {row.refused_max:.1f} "
            f"| {row.unanswered + row.other} | {row.client_cpu:.0%} | {row.client_late_p99:.1f} "
            f"| {row.memory_mb:.0f} ({row.memory_growth_mb:+.0f}) |"
        )
    return "\n".join(lines)


def write(rows: list[Row], out: Path) -> None:
    """``overload.csv`` and, where matplotlib is installed, ``overload.png``."""
    with (out / "overload.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*vars(rows[0])])
        writer.writeheader()
        writer.writerows({name: round(value, 3) for name, value in vars(row).items()} for row in rows)
    try:
        from matplotlib import pyplot
    except ImportError:
        return
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    names = [f"{row.factor:g}x" for row in rows]
    left.bar(names, [row.share for row in rows], color="#3b7a57")
    left.axhline(0.9, color="black", linestyle="--", linewidth=1)
    left.set(title="goodput / capacity", xlabel="offered load, times capacity")
    for label, values in (
        ("accepted p99", [row.p99 for row in rows]),
        ("accepted p50", [row.p50 for row in rows]),
        ("slowest refusal", [row.refused_max for row in rows]),
    ):
        right.plot(names, values, marker="o", label=label)
    right.set(title="milliseconds", xlabel="offered load, times capacity", yscale="log")
    right.legend()
    figure.savefig(out / "overload.png", dpi=110)
