"""A MobileNetV2 that reads Z is mmpretrain's behind its first layer."""

from __future__ import annotations

import torch
from mmpretrain.models import MobileNetV2

from mmpatch.models.aggregators import LatentMobileNetV2

NORM = dict(type='GN', num_groups=4)


def test_with_three_channels_it_is_the_host() -> None:
    torch.manual_seed(0)
    mine, stock = LatentMobileNetV2(3, widen_factor=0.25), MobileNetV2(0.25, norm_cfg=NORM)
    stock.load_state_dict(mine.state_dict())
    grid = torch.randn(2, 3, 33, 40)
    (found,), (expected,) = mine(grid), stock(grid)
    assert torch.equal(found, expected) and found.shape == (2, 1280, 2, 2)


def test_any_number_of_channels_and_small_grids() -> None:
    model = LatentMobileNetV2(40, widen_factor=0.25)
    for side in (1, 2, 8):
        (found,) = model(torch.randn(1, 40, side, side))
        assert found.shape == (1, 1280, 1, 1)
