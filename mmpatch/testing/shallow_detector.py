"""A detector with a receptive field that a halo covers, to compare with the untiled stock one."""

from __future__ import annotations

from typing import Any

from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from .tiny_detector import build_detector, build_stock_detector


@MODELS.register_module(force=True)
class ShallowBackbone(BaseModule):
    """Three levels of strides 8, 16 and 32; a cell sees at most 31 px beyond its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 8, stride=8)
        self.convs = nn.ModuleList([nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 2, stride=2)])
        self.last = nn.Conv2d(8, 8, 2, stride=2)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Images (K, 3, H, W) -> a map (K, 8, H / stride, W / stride) a level."""
        fine = self.convs[0](self.stem(x).relu()).relu()
        middle = self.convs[1](fine).relu()
        return fine, middle, self.last(middle).relu()


def shallow_pair(patch_size: int, halo: int) -> tuple[Any, Any]:
    """Ours without global patch, and stock FCOS with the same weights."""
    head = dict(in_channels=8, feat_channels=8, stacked_convs=0, norm_cfg=None)
    cfg: dict[str, Any] = dict(backbone=dict(type='ShallowBackbone'), neck=None, head=head)
    ours: Any = build_detector(patch_size=patch_size, halo=halo, global_patch=False, **cfg).train()
    stock: Any = build_stock_detector(patch_size=patch_size, **cfg).train()
    stock.load_state_dict(ours.state_dict(), strict=True)
    return ours, stock
