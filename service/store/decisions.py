"""Decisions, and the log of them that only grows.

Entries are chained by hashes, see :mod:`service.chain`, so that no entry can be changed, removed or put in without
changing every hash after it. Whoever has noted a hash can prove that what came before it is still the same.
"""

import datetime
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from service.chain import BEGINNING, digest, link
from service.errors import ErrorCode, FaunalensError
from service.store import outbox
from service.store.clock import now
from service.store.database import Database
from service.store.reviews import holder, unknown_item
from service.store.tables import Batch, Decision, Item, Review, ReviewState

MADE, UNDONE = "decision.made", "decision.undone"
_LOCK = 0x464C4443
_PAGE = 500
_BACK = 500
SecondOpinion = Literal["off", "confirm", "all"]


class Kind(StrEnum):
    """What a moderator decides."""

    CONFIRM = "confirm"
    REJECT = "reject"
    UNSURE = "unsure"
    ESCALATE = "escalate"
    UNDO = "undo"


_STATES = {
    Kind.CONFIRM: ReviewState.DECIDED, Kind.REJECT: ReviewState.DECIDED, Kind.UNSURE: ReviewState.UNSURE,
    Kind.ESCALATE: ReviewState.ESCALATED, Kind.UNDO: ReviewState.OPEN,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Telling:
    """Who is told decisions beside the batch's webhook, and ``notices``: JSON that goes along, by category."""

    webhook: str | None = None
    notices: Mapping[str, str] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class Check:
    """What a look through the log found. ``wrong``: the first entry that does not fit, None: all fit."""

    entries: int
    head: str
    wrong: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Moderator:
    """Who decides, in which window, and how long what they take back is theirs again, seconds."""

    id: str
    session: str = ""
    seconds: float = 300.0


class Decisions:
    """The log of a database. Methods raise ``store_unavailable``.

    ``second``: which decisions count only when another moderator says the same: none, what is confirmed, or all;
    ``keep``: seconds that the photo of what is confirmed or escalated is kept from then on, if that is longer.
    """

    def __init__(
        self, database: Database, second: SecondOpinion = "off", telling: Telling | None = None, keep: float = 0.0
    ) -> None:
        self._database = database
        self._second = second
        self._telling = telling or Telling()
        self._keep = keep

    def decide(self, item_id: int, moderator: Moderator, kind: Kind, category: str | None = None) -> Entry:
        """Decide about a photo that nobody else has; ``category``: what is confirmed, by default the strongest finding.

        Raises ``unknown_item``, ``item_taken``, ``already_decided``, ``second_opinion_needed`` when it would be one's
        own and, for undo, ``nothing_to_undo``: what somebody else decided last is not undone. What is taken back is the
        moderator's again for a while.
        """
        with self._database.writing() as session:
            _lock(session)
            return self._decide(session, item_id, moderator, kind, category)

    def decide_all(
        self, item_ids: Sequence[int], moderator: Moderator, kind: Kind, category: str | None = None
    ) -> list[Entry | FaunalensError]:
        """Decide the same about many photos in one transaction; one that is refused does not hinder the others."""
        done: list[Entry | FaunalensError] = []
        with self._database.writing() as session:
            _lock(session)
            for item_id in item_ids:
                try:
                    done.append(self._decide(session, item_id, moderator, kind, category))
                except FaunalensError as error:
                    done.append(error)
        return done

    def undo_last(self, moderator: Moderator) -> Entry:
        """Take back the moderator's latest decision that stands; raises ``nothing_to_undo``."""
        query = select(Decision.seq, Decision.item_id, Decision.entry, Review.last_seq).join(
            Review, Review.item_id == Decision.item_id
        )
        newest = query.where(Decision.moderator == moderator.id).order_by(Decision.seq.desc()).limit(_BACK)
        with self._database.writing() as session:
            _lock(session)
            for seq, item_id, entry, last in session.execute(newest).all():
                if seq == last and json.loads(entry)["decision"] != Kind.UNDO:
                    return self._decide(session, item_id, moderator, Kind.UNDO, None)
        raise _nothing_to_undo()

    def counts(self, since: float) -> dict[str, dict[str, int]]:
        """How often each moderator decided what, from ``since`` on (seconds since the epoch)."""
        query = select(Decision.moderator, Decision.decision, func.count()).where(Decision.decided_at >= since)
        found: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(Kind, 0))
        with self._database.reading() as session:
            for moderator, kind, count in session.execute(query.group_by(Decision.moderator, Decision.decision)).all():
                found[moderator][kind] = count
        return dict(found)

    def _decide(self, session: Session, item_id: int, moderator: Moderator, kind: Kind, category: str | None) -> Entry:
        review, item = session.get(Review, item_id, with_for_update=True), session.get(Item, item_id)
        if review is None or item is None:
            raise unknown_item()
        last = _entry(session, review.last_seq)
        first = _entry(session, review.first_seq) if review.state == ReviewState.SECOND else None
        _check(review, moderator, kind, last, first)
        record = json.loads(item.record or "{}")
        if kind is Kind.CONFIRM and category is None:
            category = review.sampled_as or record["findings"][0]["category"]
        category = category if kind is Kind.CONFIRM else None
        before, moment = review.state, now()
        state = _restored(last) if kind is Kind.UNDO else self._state(before, kind, category, first)
        seq, previous = _end(session)
        entry = {
            "seq": seq + 1, "decided_at": _iso(moment), "moderator": moderator.id, "decision": kind,
            "category": category, "undoes": review.last_seq if kind is Kind.UNDO else None, "before": before,
            "state": state, "item": item.id, "batch_id": item.batch_id, "position": item.position, "file": item.name,
            "listing_id": item.listing_id, "sha256": item.sha256, "verdict": record["verdict"],
            "model": record["model"], "policy": record["policy"],
        }  # fmt: skip
        made = _chained(seq + 1, json.dumps(entry), previous)
        session.add(
            Decision(
                seq=made.seq, item_id=item.id, entry=made.entry, hash=made.hash, moderator=moderator.id, decision=kind,
                decided_at=moment,
            )
        )  # fmt: skip
        review.state, review.last_seq, review.claimed_by, review.claimed_until = state, made.seq, None, 0.0
        if kind in (Kind.CONFIRM, Kind.ESCALATE) and self._keep and item.photo:
            item.purge_at = max(item.purge_at or 0.0, moment + self._keep)
        if state == ReviewState.SECOND and kind is not Kind.UNDO:
            review.first_seq = made.seq
        if kind is Kind.UNDO:
            review.claimed_by = holder(moderator.id, moderator.session)
            review.claimed_until = moment + moderator.seconds
        self._tell(session, item.batch_id, kind, made)
        return made

    def _tell(self, session: Session, batch_id: str, kind: Kind, made: Entry) -> None:
        event, data = UNDONE if kind is Kind.UNDO else MADE, made.with_notice("notices", self._telling.notices)
        own = session.get_one(Batch, batch_id).webhook
        for subject, url in ((str(made.seq), own), (f"{made.seq}/all", self._telling.webhook)):
            if url:
                outbox.put(session, batch_id, event, subject, url, data)

    def _state(self, before: str, kind: Kind, category: str | None, first: dict[str, Any] | None) -> ReviewState:
        """Where a photo goes. Two who disagree leave it to a third, whose word counts alone."""
        state = _STATES[kind]
        if state is not ReviewState.DECIDED or before == ReviewState.ESCALATED:
            return state
        if first is not None:
            agreed = (first["decision"], first["category"]) == (kind, category)
            return ReviewState.DECIDED if agreed else ReviewState.ESCALATED
        wanted = self._second == "all" or (self._second == "confirm" and kind is Kind.CONFIRM)
        return ReviewState.SECOND if wanted else ReviewState.DECIDED

    def last(self, item_id: int, sha256: str) -> dict[str, Any] | None:
        """The last entry about a photo to review, None without one; raises ``unknown_item``, also for other bytes."""
        with self._database.reading() as session:
            review, item = session.get(Review, item_id), session.get(Item, item_id)
            if review is None or item is None or item.sha256 != sha256:
                raise unknown_item()
            return _entry(session, review.last_seq)

    def page(self, after: int, limit: int) -> list[Entry]:
        """Up to ``limit`` entries with a number above ``after``."""
        query = select(Decision).where(Decision.seq > after).order_by(Decision.seq).limit(limit)
        with self._database.reading() as session:
            return [Entry(row.seq, row.entry, row.hash) for row in session.scalars(query)]

    def verify(self) -> Check:
        """Look through the whole log: numbers, hashes, and that every photo is in the state of its last entry."""
        head, count, states = BEGINNING, 0, dict[int, tuple[int, str]]()
        for entry in self._all():
            reason = _fault(entry, count + 1, head)
            if reason:
                return Check(count, head, entry.seq, reason)
            fields = json.loads(entry.entry)
            states[fields["item"]] = (entry.seq, fields.get("state") or _STATES[Kind(fields["decision"])])
            head, count = entry.hash, entry.seq
        with self._database.reading() as session:
            for review in session.scalars(select(Review)):
                wanted = states.get(review.item_id, (None, ReviewState.OPEN))
                if (review.last_seq, review.state) != wanted:
                    return Check(count, head, review.last_seq or 0, f"photo {review.item_id} is not as was decided")
        return Check(count, head, None)

    def has(self, digest: str) -> bool:
        """Whether the log has an entry of this hash."""
        with self._database.reading() as session:
            return session.scalars(select(Decision.seq).where(Decision.hash == digest)).first() is not None

    def _all(self) -> Iterator[Decision]:
        after = -(2**31)  # from before the first number, so that an entry put in there is seen
        while True:
            query = select(Decision).where(Decision.seq > after).order_by(Decision.seq).limit(_PAGE)
            with self._database.reading() as session:
                rows = session.scalars(query).all()
            if not rows:
                return
            yield from rows
            after = rows[-1].seq


def _check(
    review: Review, moderator: Moderator, kind: Kind, last: dict[str, Any] | None, first: dict[str, Any] | None
) -> None:
    if kind is Kind.UNDO:
        if last is None or last["decision"] == Kind.UNDO or last["moderator"] != moderator.id:
            raise _nothing_to_undo()
    elif review.state == ReviewState.DECIDED:
        raise FaunalensError(ErrorCode.ALREADY_DECIDED, "This photo has been decided already.")
    elif first is not None and first["moderator"] == moderator.id:
        message = "You have decided about this photo; the second opinion is another moderator's."
        raise FaunalensError(ErrorCode.SECOND_OPINION_NEEDED, message)
    if review.claimed_until > now() and review.claimed_by != holder(moderator.id, moderator.session):
        raise FaunalensError(ErrorCode.ITEM_TAKEN, "Another moderator has this photo in front of them.")


def _restored(last: dict[str, Any] | None) -> ReviewState:
    """Where a photo was before its last decision."""
    return ReviewState(last["before"]) if last and "before" in last else ReviewState.OPEN


def _entry(session: Session, seq: int | None) -> dict[str, Any] | None:
    return None if seq is None else json.loads(session.get_one(Decision, seq).entry)


def _nothing_to_undo() -> FaunalensError:
    return FaunalensError(ErrorCode.NOTHING_TO_UNDO, "There is no decision of yours about this photo to undo.")


def _fault(row: Decision, number: int, previous: str) -> str:
    """Why an entry does not follow ``previous``; empty when it does."""
    if row.seq != number:
        return f"entry {number} is missing"
    if _chained(row.seq, row.entry, previous).hash != row.hash:
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


def _chained(seq: int, entry: str, previous: str) -> Entry:
    return Entry(seq, entry, link(previous, digest(entry)))


def _end(session: Session) -> tuple[int, str]:
    last = session.scalars(select(Decision).order_by(Decision.seq.desc()).limit(1)).one_or_none()
    return (last.seq, last.hash) if last else (0, BEGINNING)


def _lock(session: Session) -> None:
    """One writer at a time; SQLite's transaction is that already."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _iso(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat()
