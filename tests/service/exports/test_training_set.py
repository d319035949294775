import csv
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from service.exports.training_set import write
from service.store import cases
from service.store.cases import Case
from service.store.kinds import Kind
from tests.filled import Filled


class Record(dict[str, Any]):
    """A result of which can be told whether it is still held."""


def test_what_was_written_is_let_go(filled: Filled, tmp_path: Path) -> None:
    """A year's decisions with their results would fill the memory."""
    for name in filled.ids.keys() - {"bananas.jpg"}:
        filled.decide(name, "a", Kind.REJECT)
    held = list[weakref.ref[Record]]()

    def read() -> Iterator[Case]:
        for case in cases.in_state(filled.database, "decided"):
            record = Record(case.record)
            held.append(weakref.ref(record))
            yield replace(case, record=record)
            assert [ref for ref in held[:-1] if ref()] == []

    assert write(read(), filled.photos, tmp_path / "out").written == 3
    with (tmp_path / "out" / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["label"], row["group"]) for row in rows} == {("none", "lookalike")} and len(held) == 3
