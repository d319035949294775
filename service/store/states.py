"""The states that batches, items, webhooks and reviews go through, as the database keeps them."""

from enum import StrEnum


class BatchState(StrEnum):
    """What becomes of a batch."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class ItemState(StrEnum):
    """What becomes of an item: ``waiting``, ``running`` under a lease, then one of the others for good."""

    WAITING = "waiting"
    RUNNING = "running"
    JUDGED = "judged"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DeliveryState(StrEnum):
    """What becomes of a webhook."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    ABANDONED = "abandoned"


class ReviewState(StrEnum):
    """Where a photo with findings is on its way to a decision; the last for good, unless undone.

    ``second``: one moderator has decided, another one must say the same.
    """

    OPEN = "open"
    SECOND = "second"
    UNSURE = "unsure"
    ESCALATED = "escalated"
    DECIDED = "decided"
