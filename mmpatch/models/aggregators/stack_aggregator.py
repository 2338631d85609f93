"""The paper's literal aggregation: all patches of an image on top of each other."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmpatch.registry import MODELS


@MODELS.register_module()
class StackAggregator(BaseModule):
    """One convolution and a ReLU that reduce (N + 1) * F stacked channels to F.

    Source: Resource Efficient Perception for Vision Systems, section III-B, read literally. All
    patches of an image share the cells of one patch-sized map, so the place of an object within
    the image must be told from the channels alone. Kept as an ablation of
    :class:`ConvAggregator`.

    Args:
        channels: Channels F of a local feature map.
        num_patches: Number N of patches; every image must have this many.
        global_patch: Stack the global patch's features too.
        kernel_size: Side of the kernel [cells], odd.
    """

    def __init__(
        self, channels: int, num_patches: int, global_patch: bool = True, kernel_size: int = 3
    ) -> None:
        super().__init__()
        self.num_patches = num_patches
        self.radius = kernel_size // 2
        self.conv = nn.Conv2d(
            channels * (num_patches + global_patch), channels, kernel_size, padding=self.radius
        )

    def forward(self, local: Tensor, context: Tensor | None) -> Tensor:
        """Fuse all patches of one image.

        Args:
            local: Features of its patches, row by row, (N, F, h, w).
            context: Features of its global patch, (1, F, h, w); None without global patch.

        Returns:
            (1, F, h, w).

        Raises:
            ValueError: If the image has another number of patches.
        """
        if len(local) != self.num_patches:
            raise ValueError(
                f"layout='stack' was built for {self.num_patches} patches an image, got "
                f'{len(local)}: resize all images to one size, or set num_patches'
            )
        x = local.flatten(0, 1)[None]
        return F.relu(self.conv(x if context is None else torch.cat((x, context), dim=1)))
