"""How ``scan`` writes its records: JSON lines, CSV, or a readable table."""

import csv
from abc import ABC, abstractmethod
from typing import IO

from rich.console import Console
from rich.text import Text

from service.answer import FileAnswer, FileFailure
from service.sanitise import harmless, visible

Record = FileAnswer | FileFailure
_COLOURS = {"clear": "green", "review": "yellow", "priority": "red"}


class Writer(ABC):
    """Writes records to a text stream, each complete before the next begins."""

    def __init__(self, stream: IO[str], categories: tuple[str, ...]) -> None:
        self.stream = stream
        self.categories = categories

    @abstractmethod
    def write(self, record: Record) -> None:
        """Write one record."""


class JsonLines(Writer):
    """The endpoint's answer plus ``file``, one JSON object a line; failures carry ``error``."""

    def write(self, record: Record) -> None:
        self.stream.write(record.model_dump_json(exclude_none=True) + "\n")
        self.stream.flush()


class Csv(Writer):
    """One row a file: verdict, strongest finding, error code, and the probability of every category."""

    def __init__(self, stream: IO[str], categories: tuple[str, ...]) -> None:
        super().__init__(stream, categories)
        self.rows = csv.writer(stream)
        self.rows.writerow(
            ["file", "verdict", "category", "probability", "error", "sha256", "width", "height", "model", "policy"]
            + ["truncated"]
            + [f"p_{category}" for category in categories]
        )

    def write(self, record: Record) -> None:
        self.rows.writerow(_row(record, self.categories))
        self.stream.flush()


class Table(Writer):
    """One readable line a file, coloured on a terminal."""

    def __init__(self, stream: IO[str], categories: tuple[str, ...]) -> None:
        super().__init__(stream, categories)
        self.console = Console(file=stream, soft_wrap=True, highlight=False)

    def write(self, record: Record) -> None:
        if isinstance(record, FileFailure):
            why = f" ({record.error.details['reason']})" if "reason" in record.error.details else ""
            line = Text(f"{'failed':9}", "magenta") + Text(f"{record.error.code:32} {visible(record.file + why)}")
        else:
            what = ", ".join(f"{f.name} {f.probability:.0%}" for f in record.findings) or "-"
            what += " (truncated)" if record.image.truncated else ""
            line = Text(f"{record.verdict:9}", _COLOURS[record.verdict]) + Text(f"{what:32} {visible(record.file)}")
        self.console.print(line)


WRITERS: dict[str, type[Writer]] = {"jsonl": JsonLines, "csv": Csv, "table": Table}


def _row(record: Record, categories: tuple[str, ...]) -> list[object]:
    if isinstance(record, FileFailure):
        return [harmless(record.file), "", "", "", record.error.code, "", "", "", "", "", "", *("" for _ in categories)]
    first = record.findings[0] if record.findings else None
    return [
        harmless(record.file), record.verdict, first.category if first else "", first.probability if first else "", "",
        record.image.sha256, record.image.width, record.image.height, record.model.name, record.policy.name,
        "true" if record.image.truncated else "",
        *(record.scores[category] for category in categories),
    ]  # fmt: skip
