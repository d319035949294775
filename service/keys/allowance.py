"""How much a key may use: a rate by token bucket, and a quota of pictures for each UTC day.

Buckets live in this process, with its monotonic clock. The day's counts are written to the key store and read back, so
that they survive a restart and processes that share a store see each other's within seconds.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.errors import ErrorCode, FaunalensError
from service.keys.key import Key

_DAY_SECONDS = 86_400


def utc_day(now: float) -> str:
    """YYYY-MM-DD of a Unix time."""
    return time.strftime("%Y-%m-%d", time.gmtime(now))


@dataclass(slots=True)
class Bucket:
    """Tokens that come back at ``rate`` a second, ``burst`` at most; below zero it is in debt."""

    rate: float
    burst: float
    tokens: float
    filled: float

    def refill(self, now: float) -> None:
        """Add what has come back since."""
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.rate)
        self.filled = now


class Allowances:
    """What every key may still use. ``clock``: monotonic seconds; ``wall``: Unix time.

    Not thread-safe: all calls come from the event loop.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._wall = wall
        self._buckets: dict[str, Bucket] = {}
        self._day = utc_day(wall())
        self._stored: dict[str, int] = {}
        self._unwritten: Counter[tuple[str, str]] = Counter()

    @property
    def day(self) -> str:
        """The UTC day that is counted now."""
        day = utc_day(self._wall())
        if day != self._day:
            self._day, self._stored = day, {}
        return self._day

    def take(self, key: Key) -> str:
        """One picture at the door; the UTC day that it counts for.

        Raises ``rate_limited`` or ``quota_exceeded`` and takes nothing then.
        """
        self.check(key)
        return self._count(key, 1)

    def check(self, key: Key) -> None:
        """Raises what :meth:`take` would; takes nothing."""
        self._check_quota(key, 1)
        bucket = self._bucket(key)
        if bucket and bucket.tokens < 1:
            seconds = math.ceil((1 - bucket.tokens) / bucket.rate)
            message = f"The key's rate is {bucket.rate:g} pictures a second."
            raise FaunalensError(ErrorCode.RATE_LIMITED, message, {"rate": bucket.rate}, retry_after=seconds)

    def take_more(self, key: Key, pictures: int, day: str) -> None:
        """The other pictures of a request that is inside; raises ``quota_exceeded``, and the first is given back then.

        The rate lets them in and goes into debt, so that a request is judged whole and the next one waits. ``day``:
        what :meth:`take` said of the first; it may have ended while the others came in.
        """
        try:
            self._check_quota(key, pictures, own=int(day == self.day))
        except FaunalensError:
            self.give_back(key, day)
            raise
        self._count(key, pictures)

    def take_pictures(self, key: Key, pictures: int) -> str:
        """The pictures of a batch, which waits its turn: they count for the quota only; the UTC day they count for.

        Raises ``quota_exceeded``.
        """
        self._check_quota(key, pictures)
        return self._add(key, pictures)

    def check_pictures(self, key: Key) -> None:
        """Raises ``quota_exceeded`` when not one more picture is left; takes nothing."""
        self._check_quota(key, 1)

    def give_back(self, key: Key, day: str) -> None:
        """Undo :meth:`take`, which said ``day``, for a request that was refused for another reason."""
        self.give_back_pictures(key, 1, day)
        bucket = self._bucket(key)
        if bucket:
            bucket.tokens += 1

    def give_back_pictures(self, key: Key, pictures: int, day: str) -> None:
        """Undo :meth:`take_pictures`, which said ``day``."""
        self._unwritten[day, key.id] -= pictures

    def used(self, key_id: str) -> int:
        """Pictures of a key today."""
        day = self.day
        return self._stored.get(key_id, 0) + self._unwritten[day, key_id]

    def unwritten(self) -> dict[str, dict[str, int]]:
        """Counts by day and key that the store has not seen yet; from now on they count as written."""
        days: dict[str, dict[str, int]] = {}
        for (day, key_id), pictures in self._unwritten.items():
            if pictures:
                days.setdefault(day, {})[key_id] = pictures
        for key_id, pictures in days.get(self.day, {}).items():
            self._stored[key_id] = self._stored.get(key_id, 0) + pictures
        self._unwritten.clear()
        return days

    def not_written(self, day: str, pictures: Mapping[str, int]) -> None:
        """Undo :meth:`unwritten` for a day whose counts could not be written."""
        for key_id, count in pictures.items():
            self._unwritten[day, key_id] += count
            if day == self.day:
                self._stored[key_id] = self._stored.get(key_id, 0) - count

    def stored(self, day: str, pictures: Mapping[str, int]) -> None:
        """What the store says of a day, everybody's counts included."""
        if day == self.day:
            self._stored = dict(pictures)

    def _check_quota(self, key: Key, pictures: int, own: int = 0) -> None:
        """``own``: pictures of the same request that are counted already."""
        if key.quota is None or self.used(key.id) + pictures <= key.quota:
            return
        seconds = math.ceil(_DAY_SECONDS - self._wall() % _DAY_SECONDS)
        message = f"The key's quota is {key.quota} pictures a day (UTC)."
        details = {"quota": key.quota, "used": self.used(key.id) - own}
        raise FaunalensError(ErrorCode.QUOTA_EXCEEDED, message, details, retry_after=seconds)

    def _count(self, key: Key, pictures: int) -> str:
        bucket = self._bucket(key)
        if bucket:
            bucket.tokens -= pictures
        return self._add(key, pictures)

    def _add(self, key: Key, pictures: int) -> str:
        day = self.day
        self._unwritten[day, key.id] += pictures
        return day

    def _bucket(self, key: Key) -> Bucket | None:
        if key.rate is None:
            return None
        now, burst = self._clock(), float(key.burst or math.ceil(key.rate))
        bucket = self._buckets.get(key.id)
        if bucket is None:
            bucket = self._buckets[key.id] = Bucket(key.rate, burst, burst, now)
        bucket.refill(now)
        return bucket
