"""theta2 of a classifier: how many patches show what."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpatch.registry import MODELS


@MODELS.register_module()
class ClassCounts(BaseModule):
    """Reads a class off each patch and counts, (B, D, m, n) -> (B, classes - 1, 1, 1).

    A linear layer gives each patch probabilities of classes, as the head of a classifier of single
    patches does; it can start from the weights of one. Probabilities are added up over the patches. The
    first class stands for patches that show nothing and is not counted, as it would outweigh all others.

    Args:
        in_channels: Channels D of Z.
        classes: Number of classes of a patch, that of nothing among them.
        init_cfg: As in mmengine, such as ``dict(type='Pretrained', checkpoint=..., prefix='head.')``.

    Raises:
        ValueError: If there are fewer than two classes.
    """

    def __init__(self, in_channels: int, classes: int, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        if classes < 2:
            raise ValueError(f'classes must be 2 (nothing, and one more) or more, got {classes}')
        self.fc = nn.Linear(in_channels, classes)

    def forward(self, latent: Tensor) -> Tensor:
        """The counts, (B, D, m, n) -> (B, classes - 1, 1, 1)."""
        return self.probabilities(latent).sum(dim=1)[:, 1:, None, None]

    def probabilities(self, latent: Tensor) -> Tensor:
        """Of the classes of each patch, (B, D, m, n) -> (B, m n, classes)."""
        probabilities: Tensor = self.fc(latent.flatten(2).mT).softmax(dim=-1)
        return probabilities
