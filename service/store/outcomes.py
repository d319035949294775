"""What became of an item, and what is written of it: its number, its place in the queue, findings and webhooks."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from service.answer import Answer
from service.answer import Finding as AnswerFinding
from service.store import daily, likenesses, outbox
from service.store.progress import FAILED
from service.store.results import Named, spliced
from service.store.states import BatchState, ItemState, ReviewState
from service.store.tables import LEAVING, Batch, Finding, Item, Review, ReviewCategory
from service.store.tallies import RANKS


class Judged(Named, Protocol):
    """An item whose result is written."""

    @property
    def id(self) -> int: ...
    @property
    def source(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """A photo without finding that a person is asked about: the rate at which it was drawn, what it is shown as, and
    its place in the queue, drawn too (0 to 1), so that the photos that are reached first are no choice."""

    rate: float
    candidate: AnswerFinding
    place: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an item: an answer, or an error as it is told.

    ``keep``: seconds that its photo is kept; ``stored``: the photo was fetched and is in the photo folder now;
    ``fingerprints``: its perceptual hashes; ``sample``: it belongs to the random sample.
    """

    answer: Answer | None
    error: dict[str, Any] | None = None
    keep: float = 0.0
    stored: bool = False
    fingerprints: tuple[int, ...] = ()
    sample: Sample | None = None

    def fields(self, moment: float) -> dict[str, Any]:
        """What the item's row says of it from ``moment`` on, seconds since the epoch."""
        answer = self.answer
        probabilities = [finding.probability for finding in answer.findings] if answer else []
        return {
            "state": ItemState.JUDGED if answer else ItemState.FAILED, "lease_owner": None, "lease_until": None,
            "rank": RANKS[answer.verdict] if answer else None, "probability": max(probabilities, default=None),
            "sha256": answer.image.sha256 if answer else None, "record": self.record, "judged_at": moment,
            "purge_at": moment + self.keep if self.keep else LEAVING, **({"photo": True} if self.stored else {}),
        }  # fmt: skip

    @property
    def record(self) -> str:
        """The JSON object that is sent."""
        if self.answer is None:
            return json.dumps({"error": self.error or {}})
        return self.answer.model_dump_json(exclude_none=True)


def enter(session: Session, item: Judged, outcome: Outcome, moment: float) -> None:
    """Number the result of an item whose row has it, and write what comes of it, the end of its batch too."""
    answer = outcome.answer
    kind = answer.verdict if answer else FAILED
    batch = session.execute(
        update(Batch).where(Batch.id == item.batch_id)
        .values({"finished": Batch.finished + 1, kind: getattr(Batch, kind) + 1})
        .returning(Batch.finished, Batch.total, Batch.state, Batch.webhook)
    ).one()  # fmt: skip
    # the batch's row is locked until the commit, so results become visible in the order of their numbers
    session.execute(update(Item).where(Item.id == item.id).values(seq=batch.finished))
    daily.count(session, item.batch_id, moment, answer)
    if answer and (answer.findings or outcome.sample):
        _to_review(session, item, answer, outcome.sample, moment)
        likenesses.keep(session, item.id, outcome.fingerprints)
    if answer and answer.findings:
        session.execute(insert(Finding), _findings(item.id, answer))
        if batch.webhook:
            data = spliced(batch.finished, item, outcome.record)
            outbox.put(session, item.batch_id, outbox.FINDING, str(item.id), batch.webhook, data)
    if batch.state == BatchState.RUNNING and batch.finished == batch.total:
        session.execute(
            update(Batch).where(Batch.id == item.batch_id).values(state=BatchState.DONE, finished_at=moment)
        )
        if batch.webhook:
            outbox.put_finished(session, item.batch_id, batch.webhook, BatchState.DONE, batch.total, batch.finished)


def _findings(item_id: int, answer: Answer) -> list[dict[str, object]]:
    return [
        {
            "item_id": item_id, "category": finding.category, "verdict": finding.verdict,
            "probability": finding.probability, "threshold": finding.threshold,
        }
        for finding in answer.findings
    ]  # fmt: skip


def _to_review(session: Session, item: Judged, answer: Answer, sample: Sample | None, moment: float) -> None:
    """Put a photo into the queue."""
    if sample is None:
        rank, place = RANKS[answer.verdict], max(finding.probability for finding in answer.findings)
        shown_with = [finding.category for finding in answer.findings]
    else:
        rank, place, shown_with = RANKS["review"], sample.place, [sample.candidate.category]
    at: dict[str, Any] = {
        "state": ReviewState.OPEN, "rank": rank, "probability": place, "judged_at": moment, "batch_id": item.batch_id,
        "source": item.source,
    }  # fmt: skip
    review = Review(
        item_id=item.id, **at, claimed_until=0.0, sampled=sample.rate if sample else None,
        sampled_as=sample.candidate.category if sample else None,
        candidate=sample.candidate.model_dump_json() if sample else None, strongest=daily.strongest(answer),
    )  # fmt: skip
    session.add(review)
    session.flush()
    session.add_all(ReviewCategory(item_id=item.id, category=category, **at) for category in shown_with)
