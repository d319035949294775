"""Names in archives are chosen by strangers; they end in spreadsheets and on terminals."""

import csv
import io

import pytest

from service.answer import FileAnswer, FileFailure
from service.detector import Detector
from service.errors import ErrorCode, FaunalensError
from service.scanning.records import WRITERS


def written(kind: str, name: str) -> str:
    stream = io.StringIO()
    WRITERS[kind](stream, ()).write(FileFailure.of(name, FaunalensError(ErrorCode.EMPTY_IMAGE, "No bytes."), "scan"))
    return stream.getvalue()


def test_a_terminal_is_sent_no_commands() -> None:
    line = written("table", "a.zip!\x1b]0;title\x07\n\u202egpj.象牙.jpg")
    assert line.rstrip("\n").isprintable() and "象牙.jpg" in line


def test_a_spreadsheet_is_given_no_formula() -> None:
    for name, cell in (('=HYPERLINK("x").jpg', '\'=HYPERLINK("x").jpg'), ("@x.jpg", "'@x.jpg"), ("a=b.jpg", "a=b.jpg")):
        assert next(csv.DictReader(io.StringIO(written("csv", name))))["file"] == cell


def test_a_row_tells_what_the_answer_tells(detector: Detector, tusk: bytes) -> None:
    answer = FileAnswer.of("tusk.jpg", detector.answer(tusk, "scan", detector.policy("sensitive")))
    first, stream = answer.findings[0], io.StringIO()
    WRITERS["csv"](stream, detector.contract.ids).write(answer)
    (row,) = csv.DictReader(io.StringIO(stream.getvalue()))
    assert row == {
        "file": "tusk.jpg", "verdict": first.verdict, "category": first.category, "probability": str(first.probability),
        "error": "", "sha256": answer.image.sha256, "width": "480", "height": "360", "model": answer.model.name,
        "policy": "sensitive", "truncated": "", **{f"p_{name}": str(score) for name, score in answer.scores.items()},
    }  # fmt: skip
    table = io.StringIO()
    WRITERS["table"](table, ()).write(answer)
    what = ", ".join(f"{finding.name} {finding.probability:.0%}" for finding in answer.findings)
    assert table.getvalue().split() == f"{first.verdict} {what} tusk.jpg".split()
    assert written("table", "a.jpg").split() == ["failed", "empty_image", "a.jpg"]


def test_a_line_of_the_table_says_why_a_file_cannot_be_read() -> None:
    """A wrong name, rights and a store that refuses are one code."""
    stream = io.StringIO()
    error = FaunalensError(ErrorCode.UNREADABLE_FILE, "The file cannot be read.", {"reason": "Refused\x1b[0m"})
    WRITERS["table"](stream, ()).write(FileFailure.of("a.jpg", error, "scan"))
    assert stream.getvalue().split(maxsplit=2)[1:] == ["unreadable_file", "a.jpg (Refused\ufffd[0m)\n"]


def test_a_line_of_the_table_is_one_line_and_says_what_was_cut_off(detector: Detector, tusk: bytes) -> None:
    name = "folder/" * 40 + "a.jpg"
    whole = FileAnswer.of(name, detector.answer(tusk, "scan", detector.policy(None)))
    torn = whole.model_copy(update={"image": whole.image.model_copy(update={"truncated": True})})
    calm = whole.model_copy(update={"findings": (), "verdict": "clear"})
    stream = io.StringIO()
    writer = WRITERS["table"](stream, ())
    for record in (whole, torn, calm):
        writer.write(record)
    found = f"Ivory {whole.findings[0].probability:.0%}"
    assert [line.split() for line in stream.getvalue().splitlines()] == [
        [whole.verdict, *found.split(), name],
        [whole.verdict, *found.split(), "(truncated)", name],
        ["clear", "-", name],
    ]


def test_a_line_of_json_has_what_there_is_to_tell(detector: Detector, tusk: bytes) -> None:
    answer = FileAnswer.of("tusk.jpg", detector.answer(tusk, "scan", detector.policy(None)))
    stream = io.StringIO()
    WRITERS["jsonl"](stream, ()).write(answer)
    assert FileAnswer.model_validate_json(stream.getvalue()).scores == answer.scores
    assert "null" not in stream.getvalue(), "as the endpoint answers"


@pytest.mark.parametrize("kind", WRITERS)
def test_a_record_is_out_before_the_next_begins(kind: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    failure = FileFailure.of("a.jpg", FaunalensError(ErrorCode.EMPTY_IMAGE, "No bytes."), "scan")
    WRITERS[kind](stream, ()).write(failure)
    assert b"a.jpg" in raw.getvalue() and raw.getvalue().endswith(b"\n")
