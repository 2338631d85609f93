"""theta2 of a classifier: the class of an image is the sum of the classes of its patches."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmpatch.registry import MODELS

from .class_counts import ClassCounts

#: Probabilities below it count as zero; added before the logarithm.
FLOOR = 1e-6


@MODELS.register_module()
class ClassSum(ClassCounts):
    """Reads a number off each patch and adds up, (B, D, m, n) -> (B, num_classes, 1, 1).

    A linear layer gives each patch probabilities of the numbers 0, 1, 2, ... Patches are taken as
    independent of each other. The result is the logarithm of the probability of each sum. It needs no
    further layer: use mmpretrain's ``ClsHead``, which has none.

    Args:
        in_channels: Channels D of Z.
        classes: How many numbers a patch may show, 0 among them.
        num_classes: How many sums there are, 0 among them. Larger ones are taken as impossible.
        init_cfg: As in mmengine, such as ``dict(type='Pretrained', checkpoint=..., prefix='head.')``.

    Raises:
        ValueError: If there are fewer than two numbers, or fewer sums than numbers.
    """

    def __init__(
        self, in_channels: int, classes: int, num_classes: int, init_cfg: Any = None
    ) -> None:
        super().__init__(in_channels, classes, init_cfg)
        if num_classes < classes:
            raise ValueError(
                f'a patch may show numbers up to {classes - 1}, so num_classes must be {classes} or '
                f'more, got {num_classes}'
            )
        self.num_classes = num_classes

    def forward(self, latent: Tensor) -> Tensor:
        """Log probabilities of the sums, (B, D, m, n) -> (B, num_classes, 1, 1)."""
        parts = F.pad(self.probabilities(latent), (0, self.num_classes - self.fc.out_features))
        while parts.shape[1] > 1:
            parts = added_up(parts)
        return (parts[:, 0] + FLOOR).log()[:, :, None, None]


def added_up(parts: Tensor) -> Tensor:
    """The distributions of the sums of two independent numbers each.

    Args:
        parts: (B, N, S), the distributions of N numbers from 0 to S - 1.

    Returns:
        (B, ceil(N / 2), S), given that no sum is above S - 1.
    """
    size = parts.shape[-1]
    if parts.shape[1] % 2:
        nothing = torch.eye(1, size, dtype=parts.dtype, device=parts.device)
        parts = torch.cat((parts, nothing.expand(len(parts), 1, size)), dim=1)
    both = parts[:, ::2, :, None] * parts[:, 1::2, None]  # (B, N / 2, S, S)
    # Each row begins one column later than the one above, so that equal sums share a column.
    skewed = F.pad(both, (0, size)).flatten(-2)[..., :-size].unflatten(-1, (size, -1))
    sums: Tensor = skewed.sum(dim=-2)[..., :size]
    total = sums.sum(dim=-1, keepdim=True)
    return sums / torch.where(total > FLOOR, total, 1.0)  # patches may be sure of an impossible sum
