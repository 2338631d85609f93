"""One CNN layer over local and global features, place by place."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmpatch.registry import MODELS


@MODELS.register_module()
class ConvAggregator(BaseModule):
    """One convolution, with or without a ReLU, over (local, global) features, 2F -> F channels.

    It starts as the identity on the local half and at zero on the global half. A model with
    freshly added aggregators therefore predicts what it did without them, so that weights of a
    stock detector can be loaded and refined.

    Args:
        channels: Channels F of a feature map.
        kernel_size: Side of the kernel [cells], odd.
        relu: End in a ReLU; it starts as the identity of positive features only.

    Raises:
        ValueError: If the kernel size is even.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int = 3,
        relu: bool = True,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f'kernel_size must be odd, got {kernel_size}')
        self.channels = channels
        self.radius = kernel_size // 2
        self.relu = relu
        self.conv = nn.Conv2d(2 * channels, channels, kernel_size, padding=self.radius)

    def init_weights(self) -> None:
        """Identity on the local half, zero on the global half."""
        super().init_weights()
        nn.init.zeros_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]
        nn.init.dirac_(self.conv.weight.data[:, : self.channels])

    def forward(self, local: Tensor, global_maps: Tensor) -> Tensor:
        """Fuse the features of S places.

        Args:
            local: Windows of the latent, (S, F, h, w).
            global_maps: The global patch's features at the same places, (S, F, h, w).

        Returns:
            (S, F, h, w); the outer ``radius`` cells miss what lies beyond the window.
        """
        fused: Tensor = self.conv(torch.cat((local, global_maps.to(local.dtype)), dim=1))
        return F.relu(fused) if self.relu else fused
