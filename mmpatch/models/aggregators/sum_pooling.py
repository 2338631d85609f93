"""theta2 of a classifier: what the patches hold is added up."""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor

from mmpatch.registry import MODELS


@MODELS.register_module()
class SumPooling(BaseModule):
    """The sum over the patches of an image, (B, D, m, n) -> (B, D, 1, 1).

    For classes that depend on how much there is, whatever the size of the image. A classifier without
    a theta2 of its own takes the mean, which falls as the image grows.

    Source: Zaheer et al., Deep Sets (NeurIPS 2017).
    """

    def forward(self, latent: Tensor) -> Tensor:
        """The sum, (B, D, m, n) -> (B, D, 1, 1)."""
        return latent.sum(dim=(2, 3), keepdim=True)
