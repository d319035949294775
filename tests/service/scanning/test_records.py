"""Names in archives are chosen by strangers; they end in spreadsheets and on terminals."""

import csv
import io

from service.answer import FileFailure
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
