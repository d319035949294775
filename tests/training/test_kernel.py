"""The kernel head: what it can tell apart, what it keeps, and what its map means."""

import pytest
import torch
from torch import Tensor

from training.kernel import KernelHead, choose_landmarks, logistic, similarity

pytestmark = pytest.mark.training
LEVELS = {"early": 0.6, "top": 1.0}
WIDTHS = (2, 3)


def _features(count: int, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "early": torch.randn(count, 2, 4, 4, generator=generator),
        "top": torch.randn(count, 3, 2, 2, generator=generator),
    }


def _means(features: dict[str, Tensor]) -> Tensor:
    return torch.cat([features[name].mean(dim=(2, 3)) for name in LEVELS], dim=1)


def _fitted(landmarks: int = 60) -> KernelHead:
    means = torch.randn(300, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    targets = torch.stack([means[:, 0] * means[:, 2] > 0, means[:, 3] > 1], dim=1).double()
    head = KernelHead(LEVELS, WIDTHS, landmarks, 2)
    head.fit(means, targets, 30.0, seed=1)
    return head


def test_tells_apart_what_no_linear_head_can() -> None:
    means = torch.randn(400, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).float()
    wanted = means[:, 0] * means[:, 2] > 0
    head = _fitted(300)
    scores = similarity(head.standardise(means), head.landmarks.float()) @ head.weight.T + head.bias
    weight, bias = logistic(means.double(), wanted.double()[:, None], 30.0)
    linear = (means.double() @ weight.T + bias)[:, 0]
    assert ((linear > 0) == wanted).float().mean() < 0.65
    assert ((scores[:, 0] > 0) == wanted).float().mean() > 0.8


def test_similarity_is_one_at_zero_distance_and_falls() -> None:
    rows = torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 4.0]])
    found = similarity(rows, rows)
    torch.testing.assert_close(found.diagonal(), torch.ones(3))
    assert float(found[0, 1]) == pytest.approx(0.36788, abs=1e-4)
    assert float(found[0, 2]) < 1e-10


def test_mean_of_the_map_is_the_score() -> None:
    with torch.no_grad():
        scores, maps = _fitted()(_features(3))
    assert maps.shape == (3, 2, 4, 4)
    torch.testing.assert_close(maps.mean(dim=(2, 3)), scores, atol=1e-5, rtol=1e-5)


def test_map_is_the_first_order_expansion_of_the_score() -> None:
    head, features = _fitted(), _features(2, seed=5)
    means = _means(features).requires_grad_()
    scores = similarity(head.standardise(means), head.landmarks.float()) @ head.weight.T + head.bias
    (slope,) = torch.autograd.grad(scores[:, 1].sum(), means)
    early, top = features["early"], features["top"]
    rise = torch.einsum("nd,ndhw->nhw", slope[:, :2], early - early.mean(dim=(2, 3), keepdim=True))
    coarse = torch.einsum("nd,ndhw->nhw", slope[:, 2:], top - top.mean(dim=(2, 3), keepdim=True))
    rise = rise + torch.nn.functional.interpolate(coarse[:, None], size=(4, 4), mode="bilinear")[:, 0]
    expected = (scores[:, 1, None, None] + 0.25 * rise).detach()
    torch.testing.assert_close(head(features)[1][:, 1], expected, atol=1e-4, rtol=1e-4)


def test_features_beyond_four_deviations_count_no_further() -> None:
    head = _fitted()
    far, farther = torch.zeros(1, 5), torch.zeros(1, 5)
    far[0, 1], farther[0, 1] = 50.0, 5000.0
    torch.testing.assert_close(head.standardise(far), head.standardise(farther))


def test_landmarks_hold_every_product_and_repeat() -> None:
    targets = torch.zeros(50, 2)
    targets[[7, 30], [0, 1]] = 1
    chosen = choose_landmarks(targets, 10, seed=4)
    assert {7, 30} <= set(chosen.tolist())
    assert len(set(chosen.tolist())) == 10
    assert torch.equal(chosen, choose_landmarks(targets, 10, seed=4))
    assert not torch.equal(chosen, choose_landmarks(targets, 10, seed=5))


def test_logistic_finds_the_direction() -> None:
    inputs = torch.randn(400, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    targets = torch.stack([(inputs[:, 2] > 0).double(), (inputs[:, 4] < 0).double()], dim=1)
    weight, bias = logistic(inputs, targets, 1.0)
    assert weight[0].argmax() == 2
    assert weight[1].argmin() == 4
    assert (((inputs @ weight.T + bias) > 0).double() == targets).double().mean() > 0.97


def test_a_weak_fit_says_how_frequent_a_category_is() -> None:
    inputs = torch.randn(1000, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    targets = (torch.arange(1000) % 10 == 0).double()[:, None]
    weight, bias = logistic(inputs, targets, 1e-6)
    assert float(torch.sigmoid(inputs @ weight.T + bias).mean()) == pytest.approx(0.1, abs=0.01)
