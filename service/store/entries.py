"""An entry of the log of decisions, and its place in the chain, see :mod:`service.chain`."""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.chain import BEGINNING, digest, link
from service.store.tables import Decision, ReviewState


class Kind(StrEnum):
    """What a moderator decides."""

    CONFIRM = "confirm"
    REJECT = "reject"
    UNSURE = "unsure"
    ESCALATE = "escalate"
    UNDO = "undo"


STATES = {
    Kind.CONFIRM: ReviewState.DECIDED, Kind.REJECT: ReviewState.DECIDED, Kind.UNSURE: ReviewState.UNSURE,
    Kind.ESCALATE: ReviewState.ESCALATED, Kind.UNDO: ReviewState.OPEN,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the log: its JSON text, and its hash."""

    seq: int
    entry: str
    hash: str

    @property
    def line(self) -> str:
        """The JSON object that is sent."""
        return f'{self.entry[:-1]}, "hash": "{self.hash}"}}'

    @property
    def fields(self) -> dict[str, Any]:
        """The same, read."""
        fields: dict[str, Any] = json.loads(self.line)
        return fields

    def with_notice(self, name: str, notices: Mapping[str, str]) -> str:
        """The line; where a category is confirmed for good, with its notice (JSON), which is no part of the chain."""
        fields = json.loads(self.entry)
        counts = fields["decision"] == Kind.CONFIRM and fields.get("state", ReviewState.DECIDED) == ReviewState.DECIDED
        notice = notices.get(fields["category"]) if counts else None
        return f'{self.line[:-1]}, "{name}": {notice}}}' if notice else self.line


def read_entry(session: Session, seq: int | None) -> dict[str, Any] | None:
    """The fields of an entry; None for no number."""
    return None if seq is None else json.loads(session.get_one(Decision, seq).entry)


def fault(row: Decision, number: int, previous: str) -> str:
    """Why an entry does not follow ``previous``; empty when it does."""
    if row.seq != number:
        return f"entry {number} is missing"
    if chained(row.seq, row.entry, previous).hash != row.hash:
        return "its text or what came before was changed"
    try:
        fields = json.loads(row.entry)
        if fields["seq"] != number:
            return "it was put at another place"
        moment = datetime.datetime.fromisoformat(fields["decided_at"]).timestamp()
        told = (fields["moderator"], fields["decision"], fields["item"])
        same = told == (row.moderator, row.decision, row.item_id) and abs(moment - row.decided_at) < 1e-3
        return "" if same else "what is counted is not what it says"
    except (ValueError, KeyError, TypeError):
        return "it is not an entry"


def chained(seq: int, entry: str, previous: str) -> Entry:
    """The entry that comes after the one with the hash ``previous``."""
    return Entry(seq, entry, link(previous, digest(entry)))


def end(session: Session) -> tuple[int, str]:
    """Number and hash of the last entry."""
    last = session.scalars(select(Decision).order_by(Decision.seq.desc()).limit(1)).one_or_none()
    return (last.seq, last.hash) if last else (0, BEGINNING)
