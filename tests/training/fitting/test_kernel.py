"""The kernel head: what it can tell apart, what it keeps, and what its map means."""

import pytest
import torch
from torch import Tensor

from training.fitting.kernel import WINDOWS, KernelHead, choose_landmarks, logistic, similarity, window_means

pytestmark = pytest.mark.training
LEVELS = {"early": 0.6, "top": 1.0}
WIDTHS = (2, 3)


def _features(count: int, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "early": torch.randn(count, 2, 4, 4, generator=generator),
        "top": torch.randn(count, 3, 2, 2, generator=generator),
    }


def _ones(count: int) -> torch.Tensor:
    return torch.ones(count, dtype=torch.float64)


def _fitted(landmarks: int = 60) -> KernelHead:
    means = torch.randn(300, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    targets = torch.stack([means[:, 0] * means[:, 2] > 0, means[:, 3] > 1], dim=1).double()
    head = KernelHead(LEVELS, WIDTHS, landmarks, 2)
    head.fit(means, targets, _ones(len(means)), 30.0, seed=1)
    return head


def test_tells_apart_what_no_linear_head_can() -> None:
    means = torch.randn(400, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).float()
    wanted = means[:, 0] * means[:, 2] > 0
    head = _fitted(300)
    scores = similarity(head.standardise(means), head.landmarks.float()) @ head.weight.T + head.bias
    weight, bias = logistic(means.double(), wanted.double()[:, None], _ones(400), 30.0)
    linear = (means.double() @ weight.T + bias)[:, 0]
    assert ((linear > 0) == wanted).float().mean() < 0.65
    assert ((scores[:, 0] > 0) == wanted).float().mean() > 0.8


def test_similarity_is_one_at_zero_distance_and_falls() -> None:
    rows = torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 4.0]])
    found = similarity(rows, rows)
    torch.testing.assert_close(found.diagonal(), torch.ones(3))
    assert float(found[0, 1]) == pytest.approx(0.36788, abs=1e-4)
    assert float(found[0, 2]) < 1e-10


def _windows(head: KernelHead, features: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Mean features ``[N, 6, D]`` and scores ``[N, 6, C]`` of every window, written out plainly."""
    means = window_means(list(features.values())).requires_grad_()
    inputs = head.standardise(means)
    similar = torch.stack([similarity(row, head.landmarks.float()) for row in inputs])
    return means, similar @ head.weight.T + head.bias


def test_windows_are_the_whole_its_quarters_and_its_middle() -> None:
    level = torch.arange(16.0).reshape(1, 1, 4, 4)
    found = window_means([level, 2 * level])
    assert found.shape == (1, len(WINDOWS), 2)
    assert found[0, :, 0].tolist() == [7.5, 2.5, 4.5, 10.5, 12.5, 7.5]
    torch.testing.assert_close(found[..., 1], 2 * found[..., 0])
    odd = window_means([torch.arange(9.0).reshape(1, 1, 3, 3)])
    assert odd[0, :, 0].tolist() == [4.0, 2.0, 3.0, 5.0, 6.0, 2.0]
    assert window_means([torch.ones(1, 1, 1, 1)]).tolist() == [[[1.0]] * 6]


def test_the_score_is_the_highest_of_the_windows() -> None:
    head, features = _fitted(), _features(4, seed=9)
    _, scores = _windows(head, features)
    torch.testing.assert_close(head(features)[0], scores.max(dim=1).values)
    torch.testing.assert_close(head.score(window_means(list(features.values()))), scores.max(dim=1).values)
    assert (scores.argmax(dim=1) > 0).any()


def test_mean_of_the_map_over_the_winning_window_is_the_score() -> None:
    means = torch.randn(300, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    head = KernelHead({"early": 0.8}, (5,), 60, 1)
    head.fit(means, (means[:, :1] > 0).double(), _ones(300), 30.0, seed=1)
    features = {"early": torch.randn(6, 5, 4, 4, generator=torch.Generator().manual_seed(3))}
    with torch.no_grad():
        scores, maps = head(features)
        best = _windows(head, features)[1].argmax(dim=1)
    assert maps.shape == (6, 1, 4, 4)
    over_windows = window_means([maps])[..., 0]
    torch.testing.assert_close(over_windows.gather(1, best), scores, atol=1e-5, rtol=1e-5)


def test_map_rises_with_the_coarsest_features_as_the_score_does_at_the_mean_photo() -> None:
    head, features = _fitted(), _features(2, seed=5)
    means, scores = _windows(head, features)
    best = scores[..., 1].argmax(dim=1)
    average = head.mean[None, None].clone().requires_grad_()
    (slope,) = torch.autograd.grad(head.score(average)[0, 1], average)
    mean = means[[0, 1], best].detach()
    rise = torch.einsum("d,ndhw->nhw", slope[0, 0, 2:], features["top"] - mean[:, 2:, None, None])
    expected = (scores[[0, 1], best, 1][:, None, None] + 0.25 * rise).detach()
    torch.testing.assert_close(head(features)[1][:, 1], expected, atol=1e-4, rtol=1e-4)


def test_map_shows_where_what_the_category_shows_is() -> None:
    """What most photos have lies everywhere but in one corner, where the product is."""
    means = torch.randn(300, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    head = KernelHead({"top": 1.0}, (5,), 60, 1)
    head.fit(means, (means[:, :1] > 1).double(), _ones(300), 30.0, seed=1)
    features = torch.zeros(1, 5, 4, 4)
    features[0, 0, 3, 0] = 24.0
    with torch.no_grad():
        found = head({"top": features})[1][0, 0]
    assert int(found.argmax()) == 12 and float(found.flatten().sort().values[-2]) < float(found.max()) / 2


def test_features_beyond_four_deviations_count_no_further() -> None:
    head = _fitted()
    far, farther = torch.zeros(1, 5), torch.zeros(1, 5)
    far[0, 1], farther[0, 1] = 50.0, 5000.0
    torch.testing.assert_close(head.standardise(far), head.standardise(farther))


def test_a_level_weighs_the_mean_squared_difference_of_its_features() -> None:
    one, other = torch.tensor([[1.0, 2.0, 0.0, 0.0, 1.0]]), torch.tensor([[0.0, 0.0, 0.0, 3.0, 1.0]])
    inputs = KernelHead(LEVELS, WIDTHS, 1, 1).standardise(torch.cat([one, other]))
    expected = torch.exp(torch.tensor(-0.6 * (1 + 4) / 2 - 1.0 * 9 / 3))
    torch.testing.assert_close(similarity(inputs[:1], inputs[1:])[0, 0], expected)


def test_features_are_standardised_by_the_photos_of_full_weight() -> None:
    means = torch.randn(80, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    targets, weights = (means[:, :1] > 0).double(), _ones(80)
    means[:, 4] = 2.0  # a channel that is the same everywhere
    weights[60:], means[60:, 1] = 0.2, 90.0
    head = KernelHead(LEVELS, WIDTHS, 20, 1)
    head.fit(means, targets, weights, 30.0, seed=1)
    torch.testing.assert_close(head.mean, means[:60].mean(0).float())
    assert head.deviation[1] < 2
    assert torch.isfinite(head.score(means[:, None])).all()


def test_landmarks_hold_every_product_and_repeat() -> None:
    targets = torch.zeros(50, 2)
    targets[[7, 30], [0, 1]] = 1
    chosen = choose_landmarks(targets, _ones(50), 10, seed=4)
    assert {7, 30} <= set(chosen.tolist())
    assert len(set(chosen.tolist())) == 10
    assert torch.equal(chosen, choose_landmarks(targets, _ones(50), 10, seed=4))
    assert not torch.equal(chosen, choose_landmarks(targets, _ones(50), 10, seed=5))


def test_photos_of_lower_weight_take_half_of_the_room_at_most() -> None:
    targets, weights = torch.zeros(60, 1), _ones(60)
    targets[:4] = 1
    targets[30:50] = 1
    weights[30:] = 0.3
    chosen = choose_landmarks(targets, weights, 24, seed=1).tolist()
    assert {0, 1, 2, 3} <= set(chosen)
    assert sum(row >= 30 for row in chosen) == 10
    assert len(choose_landmarks(targets, weights, 60, seed=1)) == 60


def test_weights_say_whom_the_fit_believes() -> None:
    inputs = torch.linspace(-1, 1, 200, dtype=torch.float64)[:, None].repeat(2, 1)
    targets = torch.cat([inputs[:200] > 0, inputs[:200] < 0]).double()
    weights = torch.cat([_ones(200), 0.1 * _ones(200)])
    assert logistic(inputs, targets, weights, 1.0)[0] > 1
    assert logistic(inputs, targets, weights.flip(0), 1.0)[0] < -1


def test_logistic_finds_the_direction() -> None:
    inputs = torch.randn(400, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    targets = torch.stack([(inputs[:, 2] > 0).double(), (inputs[:, 4] < 0).double()], dim=1)
    weight, bias = logistic(inputs, targets, _ones(400), 1.0)
    assert weight[0].argmax() == 2
    assert weight[1].argmin() == 4
    assert (((inputs @ weight.T + bias) > 0).double() == targets).double().mean() > 0.97


def test_a_weak_fit_says_how_frequent_a_category_is() -> None:
    inputs = torch.randn(1000, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    targets = (torch.arange(1000) % 10 == 0).double()[:, None]
    weight, bias = logistic(inputs, targets, _ones(1000), 1e-6)
    assert float(torch.sigmoid(inputs @ weight.T + bias).mean()) == pytest.approx(0.1, abs=0.01)


def test_strength_weighs_the_losses_against_half_the_squared_norm() -> None:
    inputs = torch.randn(120, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    targets, weights = (inputs[:, :1] + inputs[:, 1:2] > 0.3).double(), torch.linspace(0.2, 1, 120).double()
    weight, bias = logistic(inputs, targets, weights, 2.0)
    errors = weights * (torch.sigmoid(inputs @ weight.T + bias) - targets)[:, 0]
    # where the sum is least, its slopes are zero
    torch.testing.assert_close(weight[0], -2.0 * errors @ inputs, atol=1e-3, rtol=1e-3)
    assert abs(float(errors.sum())) < 1e-3


def test_a_category_without_a_photo_is_never_found() -> None:
    inputs = torch.randn(60, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    targets = torch.stack([(inputs[:, 0] > 0).double(), torch.zeros(60).double()], dim=1)
    weight, bias = logistic(inputs, targets, _ones(60), 10.0)
    chances = torch.sigmoid(inputs @ weight.T + bias)
    assert float(chances[:, 1].max()) < 1e-3
    assert ((chances[:, 0] > 0.5) == targets[:, 0].bool()).double().mean() > 0.95
