"""Decisions of moderators: each moves a photo on, enters the log, and is told to whoever wants to know."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from service.batch_settings import SecondOpinion
from service.errors import ErrorCode, FaunalensError
from service.store import outbox
from service.store.clock import now
from service.store.database import Database
from service.store.decision_log import Entry, append, lock, said, stands
from service.store.idempotency import Once, digest_of, earlier, note
from service.store.kinds import Kind, last_of, state_after, state_before
from service.store.reviews import holder, locked, unknown_item
from service.store.states import ReviewState
from service.store.tables import LEAVING, Batch, Decision, Item, Review, ReviewCategory

MADE, UNDONE = "decision.made", "decision.undone"
_BACK = 500


@dataclass(frozen=True, slots=True)
class Telling:
    """Who is told decisions beside the batch's webhook, and ``notices``: JSON that goes along, by category."""

    webhook: str | None = None
    notices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moderator:
    """Who decides, in which window, and how long what they take back is theirs again, seconds."""

    id: str
    session: str = ""
    seconds: float = 300.0


class Decisions:
    """Deciding about the photos of a database. Methods raise ``store_unavailable``.

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

    def decide(
        self, item_id: int, moderator: Moderator, kind: Kind, category: str | None = None, key: str | None = None,
        batch_id: str | None = None,
    ) -> Entry:  # fmt: skip
        """Decide about a photo that nobody else has; ``category``: what is confirmed, by default the strongest finding.

        Raises ``unknown_item``, ``item_taken``, ``already_decided``, ``second_opinion_needed`` when it would be one's
        own and, for undo, ``nothing_to_undo``: what stands last may be somebody else's. Sent twice, as by who got no
        answer, undo goes back once, and what leaves the photo to others is kept once. What is taken back is the
        moderator's again for a while. ``key``, ``batch_id``: as for :meth:`decide_all`.
        """
        batches = [] if batch_id is None else [batch_id]
        (done,) = self.decide_all([item_id], moderator, kind, category, key, batches)
        if isinstance(done, FaunalensError):
            raise done
        return done

    def decide_all(
        self, item_ids: Sequence[int], moderator: Moderator, kind: Kind, category: str | None = None,
        key: str | None = None, batches: Sequence[str] = (),
    ) -> list[Entry | FaunalensError]:  # fmt: skip
        """Decide the same about many photos in one transaction; one that is refused does not hinder the others.

        ``key``: names the request, see :mod:`service.store.idempotency`; raises ``idempotency_key_reused``.
        ``batches``: those of the photos, in their order, or none: another store counts anew, and has other batches.
        """
        meant = dict(zip(item_ids, batches, strict=bool(batches)))
        done: list[Entry | FaunalensError] = []
        once = None if key is None else Once(moderator.id, key, digest_of(kind, category))
        with self._database.writing() as session:
            lock(session)
            kept = _made_before(session, once) if once else {}
            before = session.scalar(select(func.max(Decision.seq))) or 0
            session.scalars(locked(Review.item_id.in_(item_ids))).all()
            for item_id in item_ids:
                try:
                    _check_batch(session, item_id, meant.get(item_id))
                    done.append(kept.get(item_id) or self._decide(session, item_id, moderator, kind, category))
                except FaunalensError as error:
                    done.append(error)
            made = [one.seq for one in done if isinstance(one, Entry) and one.seq > before]
            if once and made and not kept:
                note(session, once, f"{made[0]}-{made[-1]}")
        return done

    def undo_last(self, moderator: Moderator, key: str | None = None) -> Entry:
        """Take back the moderator's latest decision that stands; raises ``nothing_to_undo``.

        ``key``: names the request, see :mod:`service.store.idempotency`; raises ``idempotency_key_reused``.
        """
        once = None if key is None else Once(moderator.id, key, "undo")
        query = select(Decision.seq, Decision.item_id, Decision.entry).join(Review, Review.item_id == Decision.item_id)
        newest = query.where(Decision.moderator == moderator.id).order_by(Decision.seq.desc()).limit(_BACK)
        undone = set[int | None]()
        with self._database.writing() as session:
            lock(session)
            if once and (first := earlier(session, once)):
                kept = session.get_one(Decision, int(first))
                return Entry(kept.seq, kept.entry, kept.hash)
            for seq, item_id, text in session.execute(newest).all():
                entry = json.loads(text)
                if entry["decision"] == Kind.UNDO:
                    undone.add(entry.get("undoes"))
                elif seq not in undone and [one["seq"] for one in stands(session, item_id)][-1:] == [seq]:
                    made = self._decide(session, item_id, moderator, Kind.UNDO, None, further=True)
                    if once:
                        note(session, once, str(made.seq))
                    return made
        raise _nothing_to_undo()

    def counts(self, since: float) -> dict[str, dict[str, int]]:
        """How often each moderator decided what, from ``since`` on (seconds since the epoch)."""
        query = select(Decision.moderator, Decision.decision, func.count()).where(Decision.decided_at >= since)
        found: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(Kind, 0))
        with self._database.reading() as session:
            # in this order SQLite reads the latest by the index of times, in the other one all of the log
            for moderator, kind, count in session.execute(query.group_by(Decision.decision, Decision.moderator)).all():
                found[moderator][kind] = count
        return dict(found)

    def _decide(
        self, session: Session, item_id: int, moderator: Moderator, kind: Kind, category: str | None,
        further: bool = False,
    ) -> Entry:  # fmt: skip
        review, item = session.get(Review, item_id, with_for_update=True), session.get(Item, item_id)
        if review is None or item is None:
            raise unknown_item()
        if (kept := _repeated(session, review, moderator, kind)) is not None:
            return kept
        standing = _undoable(session, review, moderator, further) if kind is Kind.UNDO else []
        last = last_of(standing)
        first = said(session, review.first_seq) if review.state == ReviewState.SECOND else None
        _check(review, moderator, kind, last, first)
        record, undone, moment = json.loads(item.record or "{}"), kind is Kind.UNDO, now()
        category = _confirmed(kind, category, review, record)
        state = state_before(last) if undone else state_after(review.state, kind, category, first, self._second)
        made = append(session, moment, {
            "moderator": moderator.id, "decision": kind, "category": category,
            "undoes": last["seq"] if last else None, "before": review.state, "state": state, "item": item.id,
            "batch_id": item.batch_id, "position": item.position, "file": item.name, "listing_id": item.listing_id,
            "sha256": item.sha256, "verdict": record["verdict"], "model": record["model"], "policy": record["policy"],
        })  # fmt: skip
        review.state, review.last_seq, review.claimed_by, review.claimed_until = state, made.seq, None, 0.0
        decided = state == ReviewState.DECIDED
        review.answer, review.judge = (category, _judge(record)) if decided else (None, None)
        session.execute(update(ReviewCategory).where(ReviewCategory.item_id == item_id).values(state=state))
        if undone:
            review.claimed_by = holder(moderator.id, moderator.session)
            review.claimed_until = moment + moderator.seconds
            # what is left says again what a second opinion is asked about
            review.first_seq = standing[-2]["seq"] if state == ReviewState.SECOND else None
        elif state == ReviewState.SECOND:
            review.first_seq = made.seq
        if kind in (Kind.CONFIRM, Kind.ESCALATE) and self._keep:
            _prolong(session, item_id, moment + self._keep)
        self._tell(session, item.batch_id, kind, made)
        return made

    def _tell(self, session: Session, batch_id: str, kind: Kind, made: Entry) -> None:
        event, data = UNDONE if kind is Kind.UNDO else MADE, made.with_notice("notices", self._telling.notices)
        own = session.get_one(Batch, batch_id).webhook
        for subject, url in ((str(made.seq), own), (f"{made.seq}/all", self._telling.webhook)):
            if url:
                outbox.put(session, batch_id, event, subject, url, data)

    def last(self, item_id: int, sha256: str) -> dict[str, Any] | None:
        """The last decision about a photo to review that was not taken back, None without one.

        Raises ``unknown_item``, also for other bytes.
        """
        with self._database.reading() as session:
            review, item = session.get(Review, item_id), session.get(Item, item_id)
            if review is None or item is None or item.sha256 != sha256:
                raise unknown_item()
            return last_of(stands(session, item_id))


def _made_before(session: Session, once: Once) -> dict[int, Entry]:
    """What a request made when it was sent first, by photo. The log was locked then: nobody else's is in between."""
    if (span := earlier(session, once)) is None:
        return {}
    first, last = map(int, span.split("-"))
    rows = session.scalars(select(Decision).where(Decision.seq.between(first, last)))
    return {row.item_id: Entry(row.seq, row.entry, row.hash) for row in rows}


def _check_batch(session: Session, item_id: int, batch_id: str | None) -> None:
    """Raises ``unknown_item`` for a photo of another batch than was meant."""
    item = session.get(Item, item_id) if batch_id is not None else None
    if item is not None and item.batch_id != batch_id:
        raise unknown_item()


def _prolong(session: Session, item_id: int, until: float) -> None:
    """Keep a photo until then at least. Asked of the row as it is now: its removal may have begun since it was read."""
    longer = (Item.id == item_id, Item.photo, Item.purge_at > LEAVING, Item.purge_at < until)
    session.execute(update(Item).where(*longer).values(purge_at=until))


def _undoable(session: Session, review: Review, moderator: Moderator, further: bool) -> list[dict[str, Any]]:
    """What stands about a photo; nothing right after an undo of the moderator's own, unless it is to go ``further``."""
    newest = said(session, review.last_seq)
    repeated = newest is not None and newest["decision"] == Kind.UNDO and newest["moderator"] == moderator.id
    return [] if repeated and not further else stands(session, review.item_id)


def _repeated(session: Session, review: Review, moderator: Moderator, kind: Kind) -> Entry | None:
    """The latest entry, if it says the same of the same moderator, who has not taken the photo since."""
    latest = (
        session.get(Decision, review.last_seq) if kind in (Kind.UNSURE, Kind.ESCALATE) and review.last_seq else None
    )
    if latest is None or (latest.moderator, latest.decision) != (moderator.id, kind) or _has(moderator, review):
        return None
    return Entry(latest.seq, latest.entry, latest.hash)


def _has(moderator: Moderator, review: Review) -> bool:
    return review.claimed_until > now() and review.claimed_by == holder(moderator.id, moderator.session)


def _check(
    review: Review, moderator: Moderator, kind: Kind, last: dict[str, Any] | None, first: dict[str, Any] | None
) -> None:
    if kind is Kind.UNDO:
        if last is None or last["moderator"] != moderator.id:
            raise _nothing_to_undo()
    elif review.state == ReviewState.DECIDED:
        raise FaunalensError(ErrorCode.ALREADY_DECIDED, "This photo has been decided already.")
    elif first is not None and first["moderator"] == moderator.id:
        message = "You have decided about this photo; the second opinion is another moderator's."
        raise FaunalensError(ErrorCode.SECOND_OPINION_NEEDED, message)
    if review.claimed_until > now() and not _has(moderator, review):
        raise FaunalensError(ErrorCode.ITEM_TAKEN, "Another moderator has this photo in front of them.")


def _confirmed(kind: Kind, category: str | None, review: Review, record: dict[str, Any]) -> str | None:
    """What is confirmed, by default the strongest finding; None by any other decision."""
    if kind is not Kind.CONFIRM:
        return None
    if category is not None:
        return category
    return review.sampled_as or str(record["findings"][0]["category"])


def _judge(record: dict[str, Any]) -> str:
    """Which model and policy made a result: the beginnings of their digests; old policies have a version alone."""
    policy = record["policy"]
    return f"{record['model']['sha256'][:16]} {str(policy.get('sha256') or policy.get('version'))[:40]}"


def _nothing_to_undo() -> FaunalensError:
    return FaunalensError(ErrorCode.NOTHING_TO_UNDO, "There is no decision of yours about this photo to undo.")
