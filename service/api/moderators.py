"""Who moderates: their preferences, how much they did, and what waits for them."""

import asyncio
import datetime
from dataclasses import asdict

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from service.api.door import key_of
from service.api.failures import error_docs
from service.api.review import KEYED, WITH_BODY, moderator_of
from service.api.state import bulk_of, state_of
from service.keys.key import Scope
from service.store.preferences import Preferences, prefer, preferences

router = APIRouter(prefix="/v1/review", tags=["review"])
_WEEK = datetime.timedelta(days=7)
_UNDO = "undo"


class Choice(BaseModel):
    """How a moderator wants the page. ``break_minutes`` 0: no reminder."""

    blur: bool
    grey: bool
    shortcuts: bool
    break_minutes: int


class Change(BaseModel):
    """What of it is another from now on; None: it stays as it was."""

    model_config = ConfigDict(extra="forbid")

    blur: bool | None = None
    grey: bool | None = None
    shortcuts: bool | None = None
    break_minutes: int | None = Field(None, ge=0, le=480)


class Counts(BaseModel):
    """How often a moderator decided what; ``decided``: without what was taken back."""

    decided: int
    decisions: dict[str, int]


class Me(BaseModel):
    """Whoever asks. ``may_add``: whether the key may start batches; ``today``: since midnight, UTC."""

    moderator: str
    name: str
    may_add: bool
    preferences: Choice
    today: Counts
    second_opinion: str
    retention_hours: float
    claim_seconds: float


class ModeratorInfo(BaseModel):
    """A moderator's counts, today and over seven days, UTC."""

    moderator: str
    name: str
    today: Counts
    week: Counts


class SummaryInfo(BaseModel):
    """What waits: photos by state, and where the newest batches are from."""

    states: dict[str, int]
    sources: tuple[str, ...]


@router.get("/me", responses=error_docs(*KEYED))
async def me(request: Request) -> Me:
    """Who you are, what you chose, and how much you decided today."""
    state, key, moderator = state_of(request), key_of(request), moderator_of(request).id
    chosen = await asyncio.to_thread(preferences, bulk_of(request).database, moderator, _default(request))
    today = await asyncio.to_thread(bulk_of(request).decisions.counts, _midnight().timestamp())
    return Me(
        moderator=moderator, name=key.name if key else "", may_add=key is None or Scope.DETECT in key.scopes,
        preferences=Choice(**asdict(chosen)), today=_counts(today.get(moderator, {})),
        second_opinion=state.settings.second_opinion, retention_hours=state.settings.retention_hours,
        claim_seconds=state.settings.review_claim_seconds,
    )  # fmt: skip


@router.put("/me", responses=error_docs(*WITH_BODY))
async def choose(request: Request, change: Change) -> Choice:
    """Keep how you want the page: what is named; the rest stays as it was. Answers with all of it."""
    changes = change.model_dump(exclude_none=True)
    kept = await asyncio.to_thread(
        prefer, bulk_of(request).database, moderator_of(request).id, changes, _default(request)
    )
    return Choice(**asdict(kept))


@router.get("/summary", responses=error_docs(*KEYED))
async def summary(request: Request) -> SummaryInfo:
    """How many photos are in which state (`states`), and where the newest batches are from (`sources`).

    Decisions count at once; photos and batches that come in within a minute, where there are very many.
    """
    found = await asyncio.to_thread(bulk_of(request).summaries.look)
    return SummaryInfo(states=found.states, sources=tuple(found.sources))


@router.get("/moderators", responses=error_docs(*KEYED))
async def moderators(request: Request) -> dict[str, list[ModeratorInfo]]:
    """How much each moderator decided, today and over seven days."""
    log, access = bulk_of(request).decisions, state_of(request).access
    today = await asyncio.to_thread(log.counts, _midnight().timestamp())
    week = await asyncio.to_thread(log.counts, (_midnight() - _WEEK + datetime.timedelta(days=1)).timestamp())
    infos = [
        ModeratorInfo(
            moderator=moderator, name=(access.ring.name(moderator) if access else None) or "",
            today=_counts(today.get(moderator, {})), week=_counts(counts),
        )
        for moderator, counts in sorted(week.items())
    ]  # fmt: skip
    return {"moderators": infos}


def _default(request: Request) -> Preferences:
    return Preferences(True, True, True, state_of(request).settings.review_break_minutes)


def _counts(decisions: dict[str, int]) -> Counts:
    made = sum(count for kind, count in decisions.items() if kind != _UNDO)
    return Counts(decided=max(0, made - decisions.get(_UNDO, 0)), decisions=decisions)


def _midnight() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
