"""theta2 of a classifier: a MobileNetV2 over the grid of patches."""

from __future__ import annotations

from typing import Any

from mmcv.cnn import ConvModule
from mmpretrain.models import MobileNetV2

from mmpatch.registry import MODELS


@MODELS.register_module()
class LatentMobileNetV2(MobileNetV2):
    """mmpretrain's MobileNetV2 for a Z of any number of channels, (B, D, m, n) -> (B, 1280, ., .).

    The stock one reads images of three channels.

    Args:
        in_channels: Channels D of Z (2 D where the global patch's are concatenated).
        norm_cfg: Normalisation; GroupNorm by default, since a batch has few grids.
        **kwargs: All others of :class:`mmpretrain.models.MobileNetV2`.
    """

    def __init__(
        self, in_channels: int, norm_cfg: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        norm_cfg = norm_cfg or dict(type='GN', num_groups=4)  # all of its widths are multiples of 8
        super().__init__(norm_cfg=norm_cfg, **kwargs)
        stem: Any = self.conv1  # type: ignore[has-type]
        self.conv1 = ConvModule(
            in_channels,
            stem.out_channels,
            stem.kernel_size,
            stride=stem.stride,
            padding=stem.padding,
            conv_cfg=self.conv_cfg,
            norm_cfg=norm_cfg,
            act_cfg=self.act_cfg,
        )
