"""A batch as it is sent, and whose may be seen."""

import datetime
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import AfterValidator, BaseModel, Field

from service.api.door import key_of
from service.api.failures import error_docs
from service.errors import ErrorCode
from service.keys.key import Scope
from service.sanitise import storable
from service.store.progress import Status
from service.store.tables import Batch

BatchId = Annotated[str, AfterValidator(storable)]
KEYED = (ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN, ErrorCode.STORE_UNAVAILABLE)
READ = error_docs(*KEYED, ErrorCode.UNKNOWN_BATCH, ErrorCode.INVALID_PARAMETER)


class BatchInfo(BaseModel):
    """A batch."""

    id: str
    state: Literal["running", "done", "cancelled"]
    policy: str
    source: str
    total: int = Field(description="Pictures in it")
    finished: int = Field(description="Pictures that have a result, a failure counts")
    created_at: datetime.datetime
    finished_at: datetime.datetime | None


class BatchStatus(BatchInfo):
    """A batch with its counts."""

    counts: dict[str, int] = Field(description="waiting, running, clear, review, priority, failed, cancelled")
    rate: float | None = Field(description="Results a second over the last hundred; null: not known yet")
    eta_seconds: float | None = Field(description="Until the end at that rate; null: not known, or ended")


def owner_of(request: Request) -> str | None:
    """Whose batches may be seen; None: everybody's."""
    key = key_of(request)
    return None if key is None or Scope.REVIEW in key.scopes else key.id


def shown(batch: Batch) -> BatchInfo:
    """A batch as it is sent."""
    return BatchInfo(**_fields(batch))


def shown_status(status: Status) -> BatchStatus:
    """The same with its counts."""
    eta = status.left / status.rate if status.rate and status.left else None
    rate = None if status.rate is None else round(status.rate, 3)
    return BatchStatus(
        **_fields(status.batch), counts=status.counts, rate=rate, eta_seconds=None if eta is None else round(eta, 1)
    )


def _fields(batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.id, "state": batch.state, "policy": batch.policy, "source": batch.source, "total": batch.total,
        "finished": batch.finished, "created_at": _time(batch.created_at), "finished_at": _time(batch.finished_at),
    }  # fmt: skip


def _time(seconds: float | None) -> datetime.datetime | None:
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.UTC)
