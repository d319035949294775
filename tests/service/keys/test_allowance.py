from dataclasses import dataclass

import pytest

from service.errors import ErrorCode, FaunalensError
from service.keys.allowance import Allowances
from service.keys.key import Key, Scope

NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC


@dataclass
class Clock:
    now: float

    def __call__(self) -> float:
        return self.now


def key(rate: float | None = None, burst: int | None = None, quota: int | None = None, name: str = "k") -> Key:
    return Key(name, name, frozenset({Scope.DETECT}), b"", b"", "", rate, burst, quota)


def house() -> tuple[Allowances, Clock, Clock]:
    clock, wall = Clock(0.0), Clock(NOON)
    return Allowances(clock, wall), clock, wall


def refused(allowances: Allowances, who: Key) -> FaunalensError:
    with pytest.raises(FaunalensError) as caught:
        allowances.take(who)
    return caught.value


def test_a_bucket_lets_a_burst_in_and_then_the_rate() -> None:
    allowances, clock, _ = house()
    limited = key(rate=2, burst=5)
    for _ in range(5):
        allowances.take(limited)
    error = refused(allowances, limited)
    assert error.code is ErrorCode.RATE_LIMITED and error.retry_after == 1
    clock.now = 0.5
    allowances.take(limited)
    refused(allowances, limited)
    clock.now = 1000
    for _ in range(5):
        allowances.take(limited)
    refused(allowances, limited)
    assert allowances.used("k") == 11


def test_the_burst_is_one_second_unless_said_otherwise() -> None:
    allowances, _, _ = house()
    for who, count in ((key(rate=3.5, name="a"), 4), (key(rate=0.1, name="b"), 1)):
        for _ in range(count):
            allowances.take(who)
        assert refused(allowances, who).code is ErrorCode.RATE_LIMITED
    assert refused(allowances, key(rate=0.1, name="b")).retry_after == 10


def test_a_large_request_goes_into_debt_and_the_next_one_waits() -> None:
    allowances, clock, _ = house()
    limited = key(rate=2, burst=4)
    allowances.take(limited)
    allowances.take_more(limited, 9, allowances.day)
    assert refused(allowances, limited).retry_after == 4
    clock.now = 3.4
    refused(allowances, limited)
    clock.now = 3.5
    allowances.take(limited)


def test_a_quota_counts_pictures_of_the_utc_day() -> None:
    allowances, _, wall = house()
    limited = key(quota=5)
    allowances.take(limited)
    allowances.take_more(limited, 2, allowances.day)
    allowances.take(limited)
    with pytest.raises(FaunalensError) as caught:
        allowances.take_more(limited, 2, allowances.day)
    assert caught.value.code is ErrorCode.QUOTA_EXCEEDED and caught.value.details == {"quota": 5, "used": 3}
    assert allowances.used("k") == 3
    allowances.take(limited)
    allowances.take(limited)
    wall.now = NOON + 0.5
    assert refused(allowances, limited).retry_after == 43_200
    wall.now = NOON + 43_199
    assert refused(allowances, limited).retry_after == 1
    wall.now = NOON + 43_200
    allowances.take(limited)
    assert allowances.used("k") == 1 and allowances.day == "2026-01-02"


def test_a_quota_of_none_lets_none_in() -> None:
    allowances, _, _ = house()
    error = refused(allowances, key(quota=0))
    assert error.code is ErrorCode.QUOTA_EXCEEDED and error.details == {"quota": 0, "used": 0}


def test_pictures_of_a_batch_count_for_the_quota_only() -> None:
    allowances, _, wall = house()
    limited = key(rate=1, burst=1, quota=5)
    allowances.take_pictures(limited, 4)
    with pytest.raises(FaunalensError) as caught:
        allowances.take_pictures(limited, 2)
    assert caught.value.code is ErrorCode.QUOTA_EXCEEDED
    allowances.take(limited)
    wall.now = NOON + 43_200
    allowances.take_pictures(key(), 7)
    assert allowances.unwritten() == {"2026-01-01": {"k": 5}, "2026-01-02": {"k": 7}}


def test_a_refusal_for_another_reason_costs_nothing() -> None:
    allowances, _, _ = house()
    limited = key(rate=1, burst=1, quota=1)
    for _ in range(3):
        allowances.give_back(limited, allowances.take(limited))
    assert allowances.used("k") == 0 and allowances.unwritten() == {}
    allowances.take(limited)
    assert allowances.used("k") == 1


def test_counts_travel_to_the_store_and_back() -> None:
    allowances, _, _ = house()
    allowances.stored("2026-01-01", {"k": 10})
    for _ in range(3):
        allowances.take(key())
    assert allowances.unwritten() == {"2026-01-01": {"k": 3}} and allowances.unwritten() == {}
    assert allowances.used("k") == 13
    allowances.not_written("2026-01-01", {"k": 3})
    assert allowances.used("k") == 13 and allowances.unwritten() == {"2026-01-01": {"k": 3}}
    allowances.take(key())
    # another process wrote 7 meanwhile
    allowances.stored("2026-01-01", {"k": 20})
    assert allowances.used("k") == 21
    allowances.stored("2025-12-31", {"k": 500})
    assert allowances.used("k") == 21


def test_what_is_given_back_after_it_was_written_is_taken_out_of_the_store() -> None:
    """A batch comes in for longer than the five seconds between two writes, and may be refused in the end."""
    allowances, _, _ = house()
    day = allowances.take_pictures(key(), 4)
    assert allowances.unwritten() == {day: {"k": 4}}
    allowances.give_back_pictures(key(), 4, day)
    assert allowances.used("k") == 0 and allowances.unwritten() == {day: {"k": -4}}
    assert allowances.used("k") == 0


def test_what_is_taken_while_a_write_fails_is_not_forgotten() -> None:
    allowances, _, _ = house()
    allowances.take(key())
    (day,) = written = allowances.unwritten()
    allowances.take_pictures(key(), 2)
    allowances.not_written(day, written[day])
    assert allowances.used("k") == 3 and allowances.unwritten() == {day: {"k": 3}}


def test_what_was_counted_before_midnight_is_written_to_its_day() -> None:
    allowances, _, wall = house()
    allowances.take(key())
    wall.now += 43_200
    allowances.take(key())
    assert allowances.unwritten() == {"2026-01-01": {"k": 1}, "2026-01-02": {"k": 1}}
    assert allowances.used("k") == 1
    allowances.not_written("2026-01-01", {"k": 1})
    assert allowances.used("k") == 1 and allowances.unwritten() == {"2026-01-01": {"k": 1}}


def test_midnight_gives_nobody_credit() -> None:
    allowances, _, wall = house()
    limited = key(quota=5)
    refused_later, many = allowances.take(limited), allowances.take(limited)
    batch = allowances.take_pictures(limited, 3)
    wall.now += 43_200
    allowances.give_back(limited, refused_later)
    allowances.give_back_pictures(limited, 3, batch)
    assert allowances.used("k") == 0
    with pytest.raises(FaunalensError) as caught:
        allowances.take_more(limited, 6, many)
    assert caught.value.details == {"quota": 5, "used": 0} and allowances.used("k") == 0
    assert allowances.unwritten() == {}, "nothing was judged on either day"
    day = allowances.take(limited)
    wall.now += 86_400
    allowances.take_more(limited, 5, day)
    assert allowances.unwritten() == {"2026-01-02": {"k": 1}, "2026-01-03": {"k": 5}}


def test_what_is_given_back_is_not_refused_where_others_passed_the_quota() -> None:
    allowances, _, _ = house()
    limited = key(quota=5)
    day = allowances.take_pictures(limited, 3)
    allowances.stored(day, {"k": 9})
    allowances.give_back_pictures(limited, 3, day)
    assert allowances.used("k") == 9


def test_what_was_written_before_midnight_is_not_used_after_it() -> None:
    allowances, _, wall = house()
    allowances.stored("2026-01-01", {"k": 5})
    assert refused(allowances, key(quota=5)).code is ErrorCode.QUOTA_EXCEEDED
    wall.now += 43_200
    allowances.take(key(quota=5))
    assert allowances.used("k") == 1


def test_what_others_used_after_midnight_counts_at_once() -> None:
    allowances, _, wall = house()
    wall.now += 43_200
    allowances.stored("2026-01-02", {"k": 5})
    assert refused(allowances, key(quota=5)).code is ErrorCode.QUOTA_EXCEEDED


def test_a_clock_that_jumps_back_gives_that_day_again_and_loses_nothing() -> None:
    allowances, _, wall = house()
    allowances.take(key())
    wall.now -= 86_400
    allowances.take(key())
    wall.now += 86_400
    assert allowances.used("k") == 1
    assert allowances.unwritten() == {"2026-01-01": {"k": 1}, "2025-12-31": {"k": 1}}
