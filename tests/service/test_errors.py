"""What operators are told of a store that cannot be used."""

import sqlite3

import pytest

from service.errors import ErrorCode, FaunalensError, reason_of, told


class WrappedError(Exception):
    """As SQLAlchemy's: the database's own error, and a statement."""

    def __init__(self, orig: Exception) -> None:
        super().__init__("[SQL: INSERT INTO items VALUES ('secret.jpg')]")
        self.orig = orig


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device", "/store/photos/secret.jpg"), "No space left on device"),
        (WrappedError(sqlite3.OperationalError("database or disk is full")), "database or disk is full"),
        (WrappedError(Exception({"C": "57P03", "M": "the database system is starting up"})), "the database system is "
         "starting up"),
        (WrappedError(Exception({"C": "22P02", "M": 'invalid input syntax: "secret.jpg"'})), "SQLSTATE 22P02"),
        (TimeoutError(), "TimeoutError"),
    ],
)  # fmt: skip
def test_the_reason_has_neither_path_nor_statement_nor_value(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_operators_are_told_the_reason_of_a_store_and_of_nothing_else() -> None:
    for code, shown in ((ErrorCode.STORE_UNAVAILABLE, "It is away. (disk full)"), (ErrorCode.NO_IMAGE, "It is away.")):
        error = FaunalensError(code, "It is away.")
        assert told(error) == "It is away."
        error.__cause__ = ValueError("disk full")
        assert told(error) == shown
