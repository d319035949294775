"""Intervals against known values, and how often they hold what they should."""

import numpy as np
import pytest

from service.statistics.intervals import Estimate, Part, fall, jeffreys, recall, share


def test_wilson_against_published_values() -> None:
    # Newcombe 1998, table I: 81/263 and 15/148, method 3
    for count, of, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        found = share(Part(count, of))
        assert found is not None
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert share(Part(20, 20)) == Estimate(1.0, pytest.approx(0.8389, abs=1e-4), 1.0)
    assert share(Part(0, 0)) is None


def test_recall_by_hand() -> None:
    found = recall(10_000, 100, Part(80, 100), Part(2, 990))
    assert found is not None
    assert found.value == pytest.approx(80 / (80 + 9_900 * 2 / 990))
    assert found.low < found.value < found.high
    none_missed = recall(10_000, 100, Part(80, 100), Part(0, 990))
    assert none_missed is not None and none_missed.value == 1.0 and none_missed.low < 0.95
    assert recall(10_000, 100, Part(80, 100), Part(0, 0)) is None
    assert recall(10_000, 100, Part(0, 0), Part(1, 10)) is None
    assert recall(10_000, 100, Part(0, 10), Part(0, 10)) is None, "no product was seen at all"
    assert recall(0, 0, Part(80, 100), Part(2, 990)) is None, "no photo was"


def test_what_many_lines_have_in_common_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The categories of a source and week share their random sample: a report with a thousand of them drew it anew."""
    drawn = list[tuple[float, float]]()
    monkeypatch.setattr(
        "service.statistics.intervals.jeffreys", lambda *given: drawn.append(given[:2]) or jeffreys(*given)
    )
    for right in (41, 42, 43):
        assert recall(10_000, 100, Part(right, 100), Part(3, 991)) is not None
    assert sorted(drawn) == [(3, 991), (41, 100), (42, 100), (43, 100)]


def test_the_ends_of_recall_by_hand() -> None:
    """Nearly all that is uncertain is the share missed: 5.14 and 17.74 of 10,001, by half of chi-squared with 21."""
    found = recall(1_000_000, 10_000, Part(5_000, 10_000), Part(10, 10_000))
    assert found is not None
    ends = (5_000 / (5_000 + 990_000 * missed / 10_001) for missed in (17.74, 5.14))
    assert (found.low, found.high) == pytest.approx(tuple(ends), abs=0.005)


def test_fall_by_hand() -> None:
    found = fall(Part(20, 10_000), Part(20, 20), Part(200, 20_000), Part(150, 200))
    assert found is not None
    assert found.value == pytest.approx(1 - 0.002 / 0.0075)
    assert found.low < found.value < found.high < 1
    rose = fall(Part(200, 10_000), Part(20, 20), Part(20, 10_000), Part(20, 20))
    assert rose is not None and rose.value == pytest.approx(-9) and rose.high < -4
    assert fall(Part(5, 10_000), Part(0, 0), Part(200, 20_000), Part(150, 200)) is None
    assert fall(Part(5, 10_000), Part(5, 5), Part(9, 10_000), Part(0, 9)) is None


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """400 simulated services: 20,000 photos, 1 in 200 a product, recall 0.7, precision 0.78; fall of a half."""
    random, rounds, hit = np.random.default_rng(7), 400, np.zeros(2)
    for _ in range(rounds):
        now, before = (_service(random, products) for products in (50, 100))
        found, lost = recall(*now), fall(*_flow(now), *_flow(before))
        assert found is not None
        assert lost is not None
        hit += (found.low <= 0.7 <= found.high, lost.low <= 0.5 <= lost.high)
    assert (hit / rounds > 0.92).all() and (hit / rounds <= 1).all(), hit / rounds


def _service(random: np.random.Generator, products: int) -> tuple[int, int, Part, Part]:
    """Photos seen and flagged, the decided flagged ones, and a sample of 2,000 of the others."""
    seen = 20_000
    shown = random.binomial(seen, products / seen)
    found, alarms = random.binomial(shown, 0.7), random.binomial(seen - shown, 0.0005)
    flagged, others = found + alarms, seen - found - alarms
    missed = random.hypergeometric(shown - found, others - shown + found, 2_000)
    return seen, int(flagged), Part(int(found), int(flagged)), Part(int(missed), 2_000)


def _flow(service: tuple[int, int, Part, Part]) -> tuple[Part, Part]:
    seen, flagged, right, _ = service
    return Part(flagged, seen), right


def test_draws_are_of_the_jeffreys_posterior() -> None:
    none, all_of_them = (jeffreys(count, 10, np.random.default_rng(0)) for count in (0, 10))
    assert np.percentile(none, 97.5) == pytest.approx(0.2172, abs=0.01)
    assert np.percentile(all_of_them, 2.5) == pytest.approx(1 - 0.2172, abs=0.01)


def test_what_was_not_flagged_is_lost_and_no_more() -> None:
    found = recall(200, 100, Part(80, 100), Part(10, 100))
    assert found is not None and found.value == pytest.approx(80 / 90)
    assert found.low < 80 / 90 < found.high
    assert found.low > 0.8


def test_where_nothing_is_flagged_any_more_nothing_waits_for_a_decision() -> None:
    before = Part(200, 20_000), Part(150, 200)
    found = fall(Part(0, 10_000), Part(0, 0), *before)
    assert found is not None and found.value == found.high == 1.0
    # at most about 2.5 of 10,000 photos against 75
    assert 0.96 < found.low < 1
    few = fall(Part(0, 10), Part(0, 0), *before)
    assert few is not None and few.high == 1.0 and few.low < -5
    assert fall(Part(0, 0), Part(0, 0), *before) is None
    none = recall(10_000, 0, Part(0, 0), Part(2, 990))
    assert none is not None and none.value == none.low == none.high == 0.0
    assert recall(10_000, 0, Part(0, 0), Part(0, 990)) is None


def test_recall_and_fall_hold_their_value_at_both_ends() -> None:
    before = Part(200, 20_000), Part(150, 200)
    for found in (
        recall(10_000, 100, Part(80, 100), Part(0, 990)), recall(10_000, 100, Part(0, 100), Part(2, 990)),
        fall(Part(20, 10_000), Part(0, 20), *before), fall(Part(100, 100), Part(9, 9), Part(100, 100), Part(9, 9)),
    ):  # fmt: skip
        assert found is not None and found.low <= found.value <= found.high, found


def test_who_asks_again_gets_the_same_interval() -> None:
    before = Part(200, 20_000), Part(150, 200)
    for _ in range(2):
        assert recall(10_000, 100, Part(80, 100), Part(2, 990)) == recall(10_000, 100, Part(80, 100), Part(2, 990))
        assert fall(Part(20, 10_000), Part(9, 20), *before) == fall(Part(20, 10_000), Part(9, 20), *before)


def test_nothing_flagged_then_leaves_no_fall_to_tell() -> None:
    assert fall(Part(1, 10), Part(1, 1), Part(0, 10), Part(1, 1)) is None


@pytest.mark.parametrize("count", range(1, 60))
def test_an_interval_holds_its_value_at_both_ends(count: int) -> None:
    none, all_of_them = share(Part(0, count)), share(Part(count, count))
    assert none is not None and none.low == 0.0
    assert all_of_them is not None and all_of_them.high == 1.0
