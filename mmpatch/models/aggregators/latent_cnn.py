"""theta2 of a classifier: a few convolutions over the grid of patches."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpatch.registry import MODELS


@MODELS.register_module()
class LatentCNN(BaseModule):
    """3 x 3 convolutions with normalisation and ReLU over Z, (B, D, m, n) -> (B, F, m, n).

    It takes grids of any shape.

    Args:
        in_channels: Channels D of Z (2 D where the global patch's are concatenated).
        channels: Channels F.
        num_layers: Number of convolutions.
        norm_cfg: Normalisation after each. One that does not depend on the batch (GroupNorm) is
            needed where images have grids of different shapes.
        init_cfg: As in mmengine.

    Raises:
        ValueError: If there is no layer.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 256,
        num_layers: int = 2,
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg)
        if num_layers < 1:
            raise ValueError(f'num_layers must be at least 1, got {num_layers}')
        norm_cfg = norm_cfg or dict(type='GN', num_groups=min(32, channels))
        widths = [in_channels, *[channels] * num_layers]
        self.layers = nn.Sequential(
            *(
                ConvModule(a, b, 3, padding=1, norm_cfg=norm_cfg, bias=False)
                for a, b in pairwise(widths)
            )
        )

    def forward(self, latent: Tensor) -> Tensor:
        """The convolutions, (B, D, m, n) -> (B, F, m, n)."""
        out: Tensor = self.layers(latent)
        return out
