"""One CNN layer over local and global features, place by place."""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmpatch.registry import MODELS


@MODELS.register_module()
class ConvAggregator(BaseModule):
    """One convolution, with or without a ReLU, over (local, global) features, 2F -> F channels.

    Its global half runs at the global patch's own resolution, once for all patches, before its maps
    are enlarged. It thus sees farther than the local half, and costs as much as that of one patch.

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
        self.radius = kernel_size // 2
        self.relu = relu
        self.conv_local = nn.Conv2d(channels, channels, kernel_size, padding=self.radius)
        self.conv_global = nn.Conv2d(
            channels, channels, kernel_size, padding=self.radius, bias=False
        )

    def init_weights(self) -> None:
        """Identity on the local half, zero on the global half."""
        super().init_weights()
        nn.init.zeros_(self.conv_global.weight)
        nn.init.zeros_(self.conv_local.bias)  # type: ignore[arg-type]
        nn.init.dirac_(self.conv_local.weight)

    def global_half(self, features: Tensor) -> Tensor:
        """What the global patches' features (B, F, g, g) add, at their own cells; the same shape."""
        out: Tensor = self.conv_global(features)
        return out

    def forward(self, local: Tensor, global_maps: Tensor) -> Tensor:
        """Fuse the features of S places.

        Args:
            local: Windows of the latent, (S, F, h, w).
            global_maps: What :meth:`global_half` gives, at the same places, (S, F, h, w).

        Returns:
            (S, F, h, w); the outer ``radius`` cells miss what lies beyond the window.
        """
        fused: Tensor = self.conv_local(local) + global_maps.to(local.dtype)
        return F.relu(fused) if self.relu else fused
