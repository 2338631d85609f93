"""Attention pooling: entries added up by weights of their own, as in multiple-instance learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule, bias_init_with_prob
from torch import Tensor, nn

from mmpatch.registry import MODELS


@MODELS.register_module()
class AttentionPooling(BaseModule):
    """Gated attention over the patches of an image, (B, D, m, n) -> (B, F, 1, 1).

    Each patch gets a weight by its own entry of Z, and entries are added up with these weights, after
    a linear layer with ReLU. Places do not matter. With ``'softmax'`` the weights of an image add up
    to one: the result is a mean, which says what there is. With ``'sigmoid'`` each patch has a weight
    from 0 to 1 whatever the others have: the result is a sum, which says how much there is.

    It also is a neck, of :class:`mmpatch.PatchClassifier` and of mmpretrain's ``ImageClassifier``. It then
    pools the cells of the backbone's last feature map, where other classifiers take their mean.

    Source: Ilse et al., Attention-based Deep Multiple Instance Learning (ICML 2018), equation 9, for
    the softmax; Zaheer et al., Deep Sets (NeurIPS 2017), for the sum.

    Args:
        in_channels: Channels D of Z (2 D where the global patch's are concatenated).
        channels: Channels F of the entries that are averaged.
        hidden: Width of the layers that the weights come from.
        weights: ``'softmax'`` or ``'sigmoid'``. The latter start at 0.01, so that a sum over hundreds
            of patches starts small.
        init_cfg: As in mmengine.

    Raises:
        ValueError: If the weights are of another kind.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 256,
        hidden: int = 128,
        weights: str = 'softmax',
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg)
        if weights not in ('softmax', 'sigmoid'):
            raise ValueError(f"weights must be 'softmax' or 'sigmoid', got {weights!r}")
        self.weights = weights
        self.value = nn.Sequential(nn.Linear(in_channels, channels), nn.ReLU())
        self.content = nn.Sequential(nn.Linear(channels, hidden), nn.Tanh())
        self.gate = nn.Sequential(nn.Linear(channels, hidden), nn.Sigmoid())
        self.score = nn.Linear(hidden, 1)
        if weights == 'sigmoid':
            nn.init.constant_(self.score.bias, bias_init_with_prob(0.01))

    def forward(self, latent: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor]:
        """The weighted mean or sum, (B, D, m, n) -> (B, F, 1, 1); of features of a backbone ((B, F),)."""
        if not isinstance(latent, Tensor):
            return (self._pooled(latent[-1]).flatten(1),)
        return self._pooled(latent)

    def _pooled(self, latent: Tensor) -> Tensor:
        entries: Tensor = self.value(latent.flatten(2).mT)  # (B, m n, F)
        scores = self.score(self.content(entries) * self.gate(entries))
        weights = scores.softmax(dim=1) if self.weights == 'softmax' else scores.sigmoid()
        pooled = (weights * entries).sum(dim=1)
        return pooled[:, :, None, None]
