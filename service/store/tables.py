"""The tables. Times are seconds since the epoch (UTC, float); JSON is kept as text.

An item is one picture of a batch. What the review page reads is here too, with the indexes of a queue by verdict,
probability and age: of all photos of a state, and of those of a category, batch or source.
"""

from typing import Any

from sqlalchemy import BigInteger, Double, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAME_LENGTH = 500
LISTING_LENGTH = 256
# the largest whole number that the databases take
LARGEST = 2**63 - 1
# an item's ``purge_at`` once its photo is being removed: no decision prolongs it any more
LEAVING = 0.0
URL_LENGTH = 2048
_HOST_LENGTH = 253
_KEPT: dict[str, Any] = {"sqlite_where": text("photo = 1"), "postgresql_where": text("photo")}
_DECIDED: dict[str, Any] = {f"{kind}_where": text("state = 'decided'") for kind in ("sqlite", "postgresql")}
_PLACE = ("state", "rank", "probability", "judged_at")
_ANSWER = ("judged_at", "source", "sampled", "strongest", "answer", "judge")
_Id = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """All tables."""


class Batch(Base):
    """A bulk job. ``owner``: id of the key that made it, empty where keys are off.

    ``finished`` counts items with a result and numbers them; ``clear``, ``review``, ``priority`` and ``failed`` count
    them by what it is. ``turn_at`` grows with each item that is taken of it: the
    batch with the smallest is next.
    """

    __tablename__ = "batches"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(32))
    policy: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(LISTING_LENGTH))
    webhook: Mapped[str | None] = mapped_column(String(URL_LENGTH))
    state: Mapped[str] = mapped_column(String(16))
    total: Mapped[int]
    finished: Mapped[int]
    created_at: Mapped[float] = mapped_column(Double)
    turn_at: Mapped[float] = mapped_column(Double)
    finished_at: Mapped[float | None] = mapped_column(Double)
    clear: Mapped[int] = mapped_column(default=0)
    review: Mapped[int] = mapped_column(default=0)
    priority: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        Index("batches_turn", "state", "turn_at"),
        Index("batches_created", "created_at"),
        Index("batches_owner", "owner", "created_at"),
    )


class Item(Base):
    """One picture of a batch.

    ``url``: where it is fetched from, else its bytes are in the photo folder as long as ``photo`` is true and until
    ``purge_at``; :data:`LEAVING` while they are removed. ``refusal``: why it was refused at the door. ``seq``: number
    of its result, 1 onwards, by which results are paged. ``rank``: 2 for priority, 1 for review, 0 for clear.
    ``record``: the result as it is sent.
    """

    __tablename__ = "items"

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    batch_id: Mapped[str] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    listing_id: Mapped[str | None] = mapped_column(String(LISTING_LENGTH), index=True)
    url: Mapped[str | None] = mapped_column(String(URL_LENGTH))
    refusal: Mapped[str | None] = mapped_column(Text)
    photo: Mapped[bool]
    purge_at: Mapped[float | None] = mapped_column(Double)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int]
    not_before: Mapped[float] = mapped_column(Double)
    lease_owner: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[float | None] = mapped_column(Double)
    seq: Mapped[int | None]
    rank: Mapped[int | None]
    probability: Mapped[float | None] = mapped_column(Double)
    sha256: Mapped[str | None] = mapped_column(String(64))
    record: Mapped[str | None] = mapped_column(Text)
    judged_at: Mapped[float | None] = mapped_column(Double)

    __table_args__ = (
        UniqueConstraint("batch_id", "position"),
        UniqueConstraint("batch_id", "seq"),
        Index("items_claim", "batch_id", "state", "attempts", "position"),
        Index("items_lease", "state", "lease_until"),
        Index("items_purge", "purge_at", **_KEPT),
        Index("items_kept", "batch_id", **_KEPT),
    )


class DayCount(Base):
    """How many pictures of a batch got which result on a UTC day, see :mod:`service.store.daily`.
    ``day``: days since 1970; ``kind``: the verdict or ``failed``, of no category; ``finding``, or ``strongest`` one.
    """

    __tablename__ = "day_counts"

    batch_id: Mapped[str] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, index=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    category: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int]


class Finding(Base):
    """A category found on an item."""

    __tablename__ = "findings"

    item_id: Mapped[int] = mapped_column(ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    category: Mapped[str] = mapped_column(String(64), primary_key=True)
    verdict: Mapped[str] = mapped_column(String(16))
    probability: Mapped[float] = mapped_column(Double)
    threshold: Mapped[float] = mapped_column(Double)


class Delivery(Base):
    """A webhook to be sent, written in the transaction of what it tells. ``subject``: the item's id, or ``batch``;
    ``host``: that of ``url``, in lower case."""

    __tablename__ = "deliveries"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    batch_id: Mapped[str] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(32))
    url: Mapped[str] = mapped_column(String(URL_LENGTH))
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int]
    next_at: Mapped[float] = mapped_column(Double)
    host: Mapped[str] = mapped_column(String(_HOST_LENGTH))

    __table_args__ = (
        UniqueConstraint("batch_id", "event", "subject"),
        Index("deliveries_due", "state", "next_at"),
        Index("deliveries_host", "state", "host", "next_at"),
    )


class Review(Base):
    """A photo with findings that a person looks at, one for each such item.

    ``claimed_by``: the key of whoever has it in front of them until ``claimed_until``. ``last_seq``: the last entry of
    the log of decisions about it; ``first_seq``: the entry that a second opinion is asked about. ``batch_id`` and
    ``source`` say again what the item and its batch say, to find it by; see :class:`ReviewCategory` too.

    A photo of the random sample has no finding: ``sampled`` is the rate at which it was drawn, ``candidate`` the
    finding (JSON) that it is shown with, ``sampled_as`` its category; its ``rank`` and ``probability`` are drawn too.

    To count by: ``strongest``, the category of the strongest finding; of what is decided ``answer``, the category that
    was confirmed (None: rejected), and ``judge``, which model and policy flagged it.
    """

    __tablename__ = "reviews"

    item_id: Mapped[int] = mapped_column(ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    rank: Mapped[int]
    probability: Mapped[float] = mapped_column(Double)
    judged_at: Mapped[float] = mapped_column(Double)
    claimed_by: Mapped[str | None] = mapped_column(String(32))
    claimed_until: Mapped[float] = mapped_column(Double)
    last_seq: Mapped[int | None]
    first_seq: Mapped[int | None]
    sampled: Mapped[float | None] = mapped_column(Double)
    sampled_as: Mapped[str | None] = mapped_column(String(64))
    candidate: Mapped[str | None] = mapped_column(Text)
    batch_id: Mapped[str] = mapped_column(String(32))
    source: Mapped[str] = mapped_column(String(LISTING_LENGTH))
    strongest: Mapped[str | None] = mapped_column(String(64))
    answer: Mapped[str | None] = mapped_column(String(64))
    judge: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        Index("reviews_queue", *_PLACE),
        Index("reviews_batch", "batch_id", *_PLACE),
        Index("reviews_source", "source", *_PLACE),
        Index("reviews_claimed", "claimed_by", "claimed_until"),
        Index("reviews_decided", "state", *_ANSWER, **_DECIDED),
    )


class ReviewCategory(Base):
    """A category that a photo to review is shown with. It says again where the photo is in the queue, and whose it is:
    photos of a rare category, or of what two filters leave, are found without a look at others."""

    __tablename__ = "review_categories"

    item_id: Mapped[int] = mapped_column(ForeignKey("reviews.item_id", ondelete="CASCADE"), primary_key=True)
    category: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    rank: Mapped[int]
    probability: Mapped[float] = mapped_column(Double)
    judged_at: Mapped[float] = mapped_column(Double)
    batch_id: Mapped[str] = mapped_column(String(32))
    source: Mapped[str] = mapped_column(String(LISTING_LENGTH))

    __table_args__ = (
        Index("review_categories_queue", "category", *_PLACE),
        Index("review_categories_batch", "batch_id", "category", *_PLACE),
        Index("review_categories_source", "source", "category", *_PLACE),
    )


class Tally(Base):
    """How many photos of a UTC day were what; no photo, name or listing. See :mod:`service.store.tallies`.

    ``channel``: ``live`` or ``batch``; ``kind``: ``photo`` (``bin`` is the rank of the verdict), ``finding``, or
    ``score`` (``bin`` is where the probability of ``category`` lies).
    """

    __tablename__ = "tallies"

    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    channel: Mapped[str] = mapped_column(String(8), primary_key=True)
    source: Mapped[str] = mapped_column(String(LISTING_LENGTH), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    category: Mapped[str] = mapped_column(String(64), primary_key=True)
    bin: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(BigInteger)


class Fingerprint(Base):
    """A perceptual hash of a photo with findings, see :mod:`service.fingerprint`: in four pieces of 16 bits.

    ``part`` numbers the hashes of a photo; 0 is that of the whole.
    """

    __tablename__ = "fingerprints"

    item_id: Mapped[int] = mapped_column(ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    band_0: Mapped[int] = mapped_column(index=True)
    band_1: Mapped[int] = mapped_column(index=True)
    band_2: Mapped[int] = mapped_column(index=True)
    band_3: Mapped[int] = mapped_column(index=True)


class Preference(Base):
    """How a moderator wants the review page. ``moderator``: the key's id, empty where keys are off."""

    __tablename__ = "preferences"

    moderator: Mapped[str] = mapped_column(String(32), primary_key=True)
    blur: Mapped[bool]
    grey: Mapped[bool]
    shortcuts: Mapped[bool]
    break_minutes: Mapped[int]


class IdempotencyKey(Base):
    """What a request made that may be sent again. ``made``: id of a batch, or which entries of the log."""

    __tablename__ = "idempotency_keys"

    owner: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    made: Mapped[str] = mapped_column(String(32))
    made_at: Mapped[float] = mapped_column(Double, index=True)


class Decision(Base):
    """An entry of the log of decisions, which only grows. ``entry``: JSON; ``hash``: chains it to the one before.

    It names its item without a foreign key: the log outlives what it tells of. ``moderator``, ``decision`` and
    ``decided_at`` say again what the entry says, to count by.
    """

    __tablename__ = "decisions"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    item_id: Mapped[int] = mapped_column(BigInteger, index=True)
    entry: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(String(64))
    moderator: Mapped[str] = mapped_column(String(32))
    decision: Mapped[str] = mapped_column(String(16))
    decided_at: Mapped[float] = mapped_column(Double)

    __table_args__ = (
        Index("decisions_moderator", "moderator", "seq"),
        Index("decisions_time", "decided_at", "moderator", "decision"),
    )
