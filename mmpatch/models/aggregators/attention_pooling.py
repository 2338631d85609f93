"""theta2 of a classifier: attention over patches, as in multiple-instance learning."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpatch.registry import MODELS


@MODELS.register_module()
class AttentionPooling(BaseModule):
    """Gated attention over the patches of an image, (B, D, m, n) -> (B, F, 1, 1).

    Each patch gets a weight by its own entry of Z, and the weights of an image add up to one. What
    comes out is the weighted mean of the entries, after a linear layer with ReLU. Places do not matter.

    Source: Ilse et al., Attention-based Deep Multiple Instance Learning (ICML 2018), equation 9.

    Args:
        in_channels: Channels D of Z (2 D where the global patch's are concatenated).
        channels: Channels F of the entries that are averaged.
        hidden: Width of the layers that the weights come from.
        init_cfg: As in mmengine.
    """

    def __init__(
        self, in_channels: int, channels: int = 256, hidden: int = 128, init_cfg: Any = None
    ) -> None:
        super().__init__(init_cfg)
        self.value = nn.Sequential(nn.Linear(in_channels, channels), nn.ReLU())
        self.content = nn.Sequential(nn.Linear(channels, hidden), nn.Tanh())
        self.gate = nn.Sequential(nn.Linear(channels, hidden), nn.Sigmoid())
        self.score = nn.Linear(hidden, 1)

    def forward(self, latent: Tensor) -> Tensor:
        """The weighted mean, (B, D, m, n) -> (B, F, 1, 1)."""
        entries: Tensor = self.value(latent.flatten(2).mT)  # (B, m n, F)
        scores = self.score(self.content(entries) * self.gate(entries))
        pooled = (scores.softmax(dim=1) * entries).sum(dim=1)
        return pooled[:, :, None, None]
