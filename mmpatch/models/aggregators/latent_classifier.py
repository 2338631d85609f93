"""One 1 x 1 convolution from local and global latents to classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpatch.registry import MODELS


@MODELS.register_module()
class LatentClassifier(BaseModule):
    """theta2 of segmentation: a 1 x 1 convolution over the latents of a pixel.

    Source: Resource Efficient Perception for Vision Systems, section III-C.

    Args:
        channels: Channels D of a latent.
        out_channels: Number of classes, 1 for a binary mask.
        global_patch: Read the global patch's latent too.
        fusion: How: ``'concat'`` (2 D channels) or ``'add'``.

    Raises:
        ValueError: If the fusion is unknown.
    """

    #: Cells of the neighbouring patches that the convolution reads.
    radius = 0

    def __init__(
        self, channels: int, out_channels: int, global_patch: bool = True, fusion: str = 'concat'
    ) -> None:
        super().__init__()
        if fusion not in ('concat', 'add'):
            raise ValueError(f"fusion must be 'concat' or 'add', got {fusion!r}")
        self.fusion = fusion
        both = global_patch and fusion == 'concat'
        self.conv = nn.Conv2d(channels * (1 + both), out_channels, 1)

    def of_global(self, global_latent: Tensor) -> Tensor:
        """What the global latent (B, D, h, w) says alone: logits (B, out_channels, h, w).

        It is the part that the global latent has in :meth:`forward`.
        """
        weight = self.conv.weight[:, -global_latent.shape[1] :]
        logits: Tensor = F.conv2d(global_latent, weight, self.conv.bias)
        return logits

    def forward(self, local: Tensor, global_maps: Tensor | None) -> Tensor:
        """Classify S places.

        Args:
            local: Windows of the latent, (S, D, h, w).
            global_maps: The global patch's latent at the same places, (S, D, h, w), or None.

        Returns:
            Logits (S, out_channels, h, w).
        """
        if global_maps is None:
            return self.conv(local)
        global_maps = global_maps.to(local.dtype)
        fused = (
            local + global_maps if self.fusion == 'add' else torch.cat((local, global_maps), dim=1)
        )
        return self.conv(fused)
