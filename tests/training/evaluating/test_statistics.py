"""Statistics against values computed by hand."""

import math

import numpy as np
import pytest

from training.evaluating.statistics import (
    Flags,
    Scores,
    auroc,
    average_precision,
    bootstrap,
    brier,
    expected_calibration_error,
    mean_interval,
    precision_at_prevalence,
    recall_at,
    steps,
    threshold_at,
)

RATES = (0.0, 0.001, 0.01, 0.05, 0.3, 0.999)


def _sample(seed: int = 0, decimals: int = 9) -> tuple[Scores, Flags]:
    rng = np.random.default_rng(seed)
    positive = rng.random(300) < 0.4
    return np.round(rng.normal(0, 1, 300) + positive, decimals), positive


def _flags(*values: int) -> Flags:
    return np.array(values, dtype=bool)


@pytest.mark.parametrize(
    ("scores", "positive", "expected"),
    [
        ([0.1, 0.2, 0.8, 0.9], (0, 0, 1, 1), 1.0),
        ([0.9, 0.8, 0.2, 0.1], (0, 0, 1, 1), 0.0),
        ([0.5, 0.5, 0.5], (0, 1, 0), 0.5),
        # pairs (positive, negative): .5=.5 a half, .5>.2, .9>.5, .9>.2
        ([0.5, 0.5, 0.2, 0.9], (1, 0, 0, 1), 3.5 / 4),
    ],
)
def test_auroc_by_hand(scores: list[float], positive: tuple[int, ...], expected: float) -> None:
    assert auroc(np.array(scores), _flags(*positive)) == pytest.approx(expected)


def test_auroc_equals_the_share_of_ordered_pairs() -> None:
    scores, positive = _sample(3, decimals=1)
    gap = scores[positive][:, None] - scores[~positive][None]
    assert auroc(scores, positive) == pytest.approx(((gap > 0) + 0.5 * (gap == 0)).mean())


@pytest.mark.parametrize("positive", [_flags(0, 0), _flags(1, 1)])
def test_ranking_needs_both_classes(positive: Flags) -> None:
    scores = np.array([0.1, 0.2])
    assert math.isnan(auroc(scores, positive))
    assert math.isnan(recall_at(0.01)(scores, positive))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_threshold_never_lets_more_than_the_rate_through(rate: float, decimals: int) -> None:
    scores, positive = _sample(1, decimals)
    above = scores[~positive] > threshold_at(scores, positive, rate)
    assert above.mean() <= rate


def test_threshold_uses_the_whole_rate_where_no_scores_tie() -> None:
    scores = np.arange(100, dtype=np.float64)
    chosen = threshold_at(scores, np.zeros(100, dtype=bool), 0.05)
    assert chosen == 94.0


def test_a_rate_that_is_a_whole_number_of_photos_allows_them_all() -> None:
    scores = np.arange(1000, dtype=np.float64)
    assert 0.29 * 100 < 29, "as floats have it"
    for count, rate, allowed in ((100, 0.29, 29), (1000, 0.001, 1), (1000, 0.057, 57)):
        assert (scores[:count] > threshold_at(scores[:count], np.zeros(count, dtype=bool), rate)).sum() == allowed


def test_threshold_of_rate_one_lets_everything_through() -> None:
    assert threshold_at(np.array([0.1, 0.2]), _flags(0, 0), 1.0) == float("-inf")


def test_recall_by_hand() -> None:
    negatives = np.arange(10, dtype=np.float64)
    scores = np.concatenate([negatives, [7.5, 8.5, 9.0, 9.5]])
    positive = _flags(*[0] * 10, *[1] * 4)
    assert recall_at(0.0)(scores, positive) == 0.25
    assert recall_at(0.1)(scores, positive) == 0.75
    assert recall_at(0.2)(scores, positive) == 1.0


def test_a_tie_with_the_threshold_is_no_hit() -> None:
    assert recall_at(0.0)(np.array([0.5, 0.5]), _flags(0, 1)) == 0.0


def test_precision_at_prevalence_by_hand() -> None:
    found = precision_at_prevalence(0.9, 0.01, 0.001)
    assert found == pytest.approx(0.0009 / (0.0009 + 0.00999))
    assert found == pytest.approx(0.0826, abs=1e-4)


def test_precision_without_any_finding_is_nan() -> None:
    assert math.isnan(precision_at_prevalence(0.0, 0.0, 0.01))


def test_average_precision_by_hand() -> None:
    assert average_precision(np.array([0.9, 0.8, 0.7, 0.6]), _flags(1, 0, 1, 0)) == pytest.approx((1 + 2 / 3) / 2)
    assert math.isnan(average_precision(np.array([0.9]), _flags(0)))


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([0.8, 0.2, 0.6, 0.2])
    positive = _flags(1, 0, 1, 1)
    assert expected_calibration_error(probabilities, positive, 2) == pytest.approx((0.3 + 0.3) / 2)
    assert expected_calibration_error(probabilities, positive, 1) == pytest.approx(0.3)


def test_brier_by_hand() -> None:
    assert brier(np.array([0.8, 0.4]), _flags(1, 0)) == pytest.approx((0.04 + 0.16) / 2)


def test_interval_contains_the_value_and_repeats() -> None:
    scores, positive = _sample()
    groups = [str(number) for number in range(300)]
    low, high = bootstrap(auroc, scores, positive, groups, 200)
    assert low < auroc(scores, positive) < high
    assert high - low < 0.25
    assert (low, high) == bootstrap(auroc, scores, positive, groups, 200)
    assert (low, high) != bootstrap(auroc, scores, positive, groups, 200, seed=1)


def test_bootstrap_draws_instances_whole() -> None:
    seen: list[Scores] = []

    def statistic(scores: Scores, positive: Flags) -> float:
        seen.append(np.bincount(scores.astype(int), minlength=12).astype(np.float64))
        assert positive.sum() == 6
        return 0.0

    groups = [f"instance-{number // 3}" for number in range(12)]
    bootstrap(statistic, np.arange(12, dtype=np.float64), np.arange(12) < 6, groups, 30)
    counts = np.array(seen).reshape(30, 4, 3)
    assert (counts == counts[:, :, :1]).all()
    assert counts.max() == 2


def test_bootstrap_draws_what_drawing_one_instance_after_the_other_would() -> None:
    scores, positive = _sample()
    groups = [f"{number * 7 % 90}" for number in range(300)]
    rng, values = np.random.default_rng(3), []
    members = [
        [[i for i in range(300) if groups[i] == name and positive[i] == side] for name in sorted(set(groups))]
        for side in (True, False)
    ]
    strata = [[rows for rows in side if rows] for side in members]
    for _ in range(40):
        drawn = [i for stratum in strata for j in rng.integers(0, len(stratum), len(stratum)) for i in stratum[j]]
        values.append(auroc(scores[drawn], positive[drawn]))
    assert bootstrap(auroc, scores, positive, groups, 40, seed=3) == tuple(np.percentile(values, [2.5, 97.5]))


def test_whole_instances_widen_the_interval() -> None:
    scores, positive = _sample()
    scores, positive = np.repeat(scores[:40], 10), np.repeat(positive[:40], 10)
    low, high = bootstrap(auroc, scores, positive, [str(i // 10) for i in range(400)], 200)
    naive_low, naive_high = bootstrap(auroc, scores, positive, [str(i) for i in range(400)], 200)
    assert high - low > 1.5 * (naive_high - naive_low)


def test_intervals_are_of_95_percent() -> None:
    scores, positive = _sample()
    singles = [str(number) for number in range(300)]
    spread = math.sqrt(sum(scores[part].var() * part.sum() for part in (positive, ~positive))) / 300
    mean, half = scores.mean(), 1.96 * spread
    found = bootstrap(lambda drawn, _: float(drawn.mean()), scores, positive, singles, 2000)
    assert found == pytest.approx((mean - half, mean + half), abs=0.01)


def test_calibration_error_has_15_groups() -> None:
    # a positive that scores low beside a negative that scores high, in groups of their own
    probabilities, positive = np.arange(15) / 15, np.arange(15) % 2 == 0
    expected = np.abs(probabilities - positive).mean()
    assert expected_calibration_error(probabilities, positive) == pytest.approx(expected)
    for bins in (14, 16):
        assert (expected_calibration_error(probabilities, positive, bins) != pytest.approx(expected)) == (bins < 15)


def test_calibration_error_of_fewer_photos_than_bins() -> None:
    assert expected_calibration_error(np.array([0.1, 0.8]), _flags(0, 1)) == pytest.approx(0.15)


def test_the_order_of_photos_with_one_probability_does_not_count() -> None:
    assert expected_calibration_error(np.full(60, 0.5), np.arange(60) < 30) == pytest.approx(0.0)
    probabilities = np.repeat([0.2, 0.7], [50, 40])
    positive = _flags(*[1] * 10, *[0] * 40, *[1] * 30, *[0] * 10)
    expected = (50 * 0.0 + 40 * 0.05) / 90
    assert expected_calibration_error(probabilities, positive, 9) == pytest.approx(expected)
    assert expected_calibration_error(probabilities, positive[::-1], 9) != pytest.approx(expected)


@pytest.mark.parametrize("groups", ["aabc", "abcc"])
def test_no_interval_of_a_single_instance(groups: str) -> None:
    scores, positive = np.array([0.1, 0.6, 0.4, 0.9]), _flags(0, 0, 1, 1)
    assert all(map(math.isnan, bootstrap(auroc, scores, positive, list(groups), 50)))
    assert not any(map(math.isnan, bootstrap(auroc, scores, positive, list("abcd"), 50)))


def test_draws_without_a_value_do_not_spoil_the_interval() -> None:
    def statistic(scores: Scores, positive: Flags) -> float:
        return float("nan") if scores[0] == 0 else float(scores.mean())

    assert not any(map(math.isnan, bootstrap(statistic, *_sample(), [str(number) for number in range(300)], 50)))
    scores, positive = np.arange(8.0), np.arange(8) >= 4
    assert not any(map(math.isnan, bootstrap(statistic, scores[::-1], positive, list("abcdefgh"), 50)))


def test_no_interval_where_every_draw_is_the_same() -> None:
    scores, positive = np.arange(40.0), np.arange(40) >= 20
    assert all(map(math.isnan, bootstrap(auroc, scores, positive, [str(i) for i in range(40)], 50)))


@pytest.mark.parametrize("positive", [_flags(0, 0), _flags(1, 1)])
def test_no_interval_of_one_class_alone(positive: Flags) -> None:
    low, high = bootstrap(auroc, np.array([0.1, 0.2]), positive, ["a", "b"], 10)
    assert math.isnan(low)
    assert math.isnan(high)


def test_average_precision_counts_ties_as_one_step() -> None:
    tied = np.full(4, 0.5)
    for flags in ([True, True, False, False], [False, False, True, True]):
        assert average_precision(tied, np.array(flags)) == pytest.approx(0.5)


def test_a_curve_has_a_step_for_each_score() -> None:
    hits, drawn = steps(np.array([0.5, 0.9, 0.5, 0.1]), _flags(1, 1, 0, 0))
    assert hits.tolist() == [1, 2, 2]
    assert drawn.tolist() == [1, 3, 4]


def test_interval_of_the_mean_resamples_items() -> None:
    values = np.array([0.0, 0.0, 0.0, 1.0])
    low, high = mean_interval(values, ["a", "a", "a", "b"], 500)
    assert (low, high) == (0.0, 1.0)
    assert np.isnan(mean_interval(values, ["a"] * 4, 10)).all()
    many = [str(number) for number in range(400)]
    values = np.arange(400) / 400
    half = 1.96 * values.std() / 20
    assert mean_interval(values, many, 4000) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.003)


def test_the_mean_of_a_draw_is_of_its_photos_not_of_its_items() -> None:
    """An item of ninety photos weighs more than one of ten."""
    values, groups = np.array([1.0] * 90 + [0.0] * 10), ["a"] * 90 + ["b"] * 10
    others = [str(number) for number in range(40)]
    low, high = mean_interval(np.concatenate([values, np.full(40, 0.5)]), [*groups, *others], 2000)
    rng = np.random.default_rng(1)
    sums, sizes = np.array([90.0, 0.0, *[0.5] * 40]), np.array([90, 10, *[1] * 40])
    drawn = [rng.integers(0, 42, 42) for _ in range(2000)]
    expected = np.percentile([sums[some].sum() / sizes[some].sum() for some in drawn], [2.5, 97.5])
    assert (low, high) == pytest.approx(tuple(expected), abs=0.03)
    assert low < 0.45 and high > 0.9
