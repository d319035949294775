"""The shapes of what the store keeps as JSON and is sent as it is: results, photos to review, entries of the log.

They are for the API page alone. Nothing is read into them, because that would write old records anew.
"""

import datetime
from typing import Any

from pydantic import BaseModel, Field

from service.answer import Answer, ErrorAnswer, ModelName, PolicyName
from service.notices import NoticeText
from service.policy import Verdict
from service.store.kinds import Kind
from service.store.states import BatchState, ReviewState


class _Placed(BaseModel):
    seq: int = Field(description="The cursor: results are numbered in the order in which they were written")
    batch_id: str
    position: int = Field(description="Place in the batch, from 0")
    file: str
    listing_id: str | None


class BatchResult(Answer, _Placed):
    """A picture of a batch that was judged. `request_id` is the batch's id."""


class BatchFailure(ErrorAnswer, _Placed):
    """A picture of a batch that could not be judged."""


class ReviewItem(BatchResult):
    """A photo to review."""

    item: int = Field(description="Its number")
    state: ReviewState
    source: str = Field(description="Of its batch")
    claimed_until: datetime.datetime | None = Field(description="null: nobody has it")
    yours: bool = Field(description="Whether it is yours until then")
    photo: bool = Field(description="Whether the photo is still kept")
    photo_until: datetime.datetime | None = Field(description="Until when, or since when it is not")


class ReviewItems(BaseModel):
    """Photos, the most pressing first."""

    items: list[ReviewItem]


class DecisionEntry(BaseModel):
    """An entry of the log of decisions."""

    seq: int
    decided_at: datetime.datetime
    moderator: str = Field(description="Id of a key; empty where keys are off")
    decision: Kind
    category: str | None
    undoes: int | None = Field(description="Number of the entry taken back")
    before: ReviewState = Field(description="Where the photo was")
    state: ReviewState = Field(description="Where it is; only `decided` is final")
    item: int
    batch_id: str
    position: int
    file: str
    listing_id: str | None
    sha256: str
    verdict: Verdict
    model: ModelName
    policy: PolicyName
    hash: str


class NoticedEntry(DecisionEntry):
    """An entry as it is answered and listed."""

    notice: NoticeText | None = Field(None, description="With `lang`, of what is confirmed for good; else left out")


class ToldEntry(DecisionEntry):
    """An entry as webhooks tell it."""

    notices: dict[str, NoticeText] | None = Field(
        None, description="By language (FAUNALENS_NOTICE_LANGUAGES), of what is confirmed for good; else left out"
    )


class UndecidedItem(ErrorAnswer):
    """A photo about which the decision was refused."""

    item: int


class Decided(BaseModel):
    """What became of one decision about many photos."""

    entries: list[DecisionEntry]
    failures: list[UndecidedItem]


class Undone(BaseModel):
    """What was taken back."""

    entry: DecisionEntry
    item: ReviewItem


class SimilarItem(BaseModel):
    """A near-identical photo, and the last entry of the log about it; null: there is none."""

    item: int
    distance: int = Field(description="Bits of 64 that differ, at most 7")
    identical: bool = Field(description="Whether the bytes are the same")
    mirrored: bool
    file: str
    listing_id: str | None
    source: str
    photo: bool
    state: ReviewState
    decision: Kind | None
    category: str | None
    decided_at: datetime.datetime | None
    moderator: str | None


class SimilarItems(BaseModel):
    """Near-identical photos, decided ones first."""

    items: list[SimilarItem]


class BatchEnd(BaseModel):
    """A batch that has ended."""

    batch_id: str
    state: BatchState
    total: int
    finished: int


def as_answer(model: type[BaseModel], description: str) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that answers with ``model``."""
    return {200: {"model": model, "description": description}}
