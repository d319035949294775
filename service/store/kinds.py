"""What a moderator can decide, and where a photo goes by it."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from service.batch_settings import SecondOpinion
from service.store.states import ReviewState


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


def state_after(
    before: str, kind: Kind, category: str | None, first: dict[str, Any] | None, second: SecondOpinion
) -> ReviewState:
    """Where a photo in the state ``before`` goes. Two who disagree leave it to a third, whose word counts alone.

    ``first``: the entry of the log that a second opinion is asked about; ``second``: which decisions need one.
    """
    state = STATES[kind]
    if state is not ReviewState.DECIDED or before == ReviewState.ESCALATED:
        return state
    if first is not None:
        agreed = (first["decision"], first["category"]) == (kind, category)
        return ReviewState.DECIDED if agreed else ReviewState.ESCALATED
    wanted = second == "all" or (second == "confirm" and kind is Kind.CONFIRM)
    return ReviewState.SECOND if wanted else ReviewState.DECIDED


def standing(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those entries about a photo, oldest first, that were not taken back: undo takes the last of them."""
    stand: list[dict[str, Any]] = []
    for entry in entries:
        if entry["decision"] == Kind.UNDO:
            del stand[-1:]
        else:
            stand.append(entry)
    return stand


def last_of(stand: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The last of what stands about a photo; None when nothing does."""
    return stand[-1] if stand else None


def state_before(last: dict[str, Any] | None) -> ReviewState:
    """Where a photo was before ``last``, the last entry about it."""
    return ReviewState(last["before"]) if last and "before" in last else ReviewState.OPEN
