import pytest
import timm
import torch
from timm.layers import Conv2dSame

from training.exporting.padding import with_fixed_padding

pytestmark = pytest.mark.training


@pytest.mark.parametrize("size", [(64, 64), (75, 98)])
def test_constant_pads_give_the_same_features(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0).eval()
    pixels = torch.randn(2, 3, *size)
    fixed = with_fixed_padding(network, pixels)
    assert not any(isinstance(module, Conv2dSame) for module in fixed.modules())
    assert any(isinstance(module, Conv2dSame) for module in network.modules())
    with torch.no_grad():
        torch.testing.assert_close(fixed(pixels), network(pixels))


def test_a_network_without_such_convolutions_stays_as_it_is() -> None:
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1))
    assert str(with_fixed_padding(plain, torch.zeros(1, 3, 8, 8))) == str(plain)
