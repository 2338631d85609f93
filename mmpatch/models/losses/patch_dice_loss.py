"""Dice loss, written as a function of sums over pixels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mmpatch.registry import MODELS


@MODELS.register_module()
class PatchDiceLoss(nn.Module):
    """Soft Dice loss, the mean over images and classes of ``1 - (2 a + eps) / (p + t + eps)``.

    ``a`` sums up probability where the class is, ``p`` probability and ``t`` pixels of the class,
    each over all pixels of an image that are not ignored. It works in stock decode heads, and in
    :class:`mmpatch.PatchSegmentor`, where those sums cover the whole image whatever part of it is
    in memory. (mmseg 1.2's ``DiceLoss`` takes the background for the target where there is one
    output channel, and counts predictions on ignored pixels.)

    Source: V-Net (Milletari et al., 3DV 2016), with first powers in the denominator.

    Args:
        use_sigmoid: Probabilities by sigmoid. With one output channel they always are; with
            several the default is softmax.
        eps: Added to numerator and denominator [px], so that an image without the class is defined.
        loss_weight: Factor of the loss.
        loss_name: Name in the log; ``loss`` has to be part of it.
    """

    normaliser: int | None = None

    def __init__(
        self,
        use_sigmoid: bool = False,
        eps: float = 1.0,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_dice',
    ) -> None:
        super().__init__()
        self.use_sigmoid = use_sigmoid
        self.eps = eps
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
        **kwargs: Any,
    ) -> Tensor:
        """The loss of whole images, as stock decode heads call it.

        Args:
            pred: Logits (B, C, H, W); C is 1 or the number of classes.
            target: Class of each pixel, (B, H, W) int64.
            weight: Has to be None.
            ignore_index: Pixels of this class are left out.
            **kwargs: What else stock heads pass; unused.

        Raises:
            ValueError: If weights of pixels are given.
        """
        if weight is not None:
            raise ValueError('PatchDiceLoss knows no weights of pixels: remove the sampler')
        return self.value(self.sums(pred, target, ignore_index))

    def sums(self, logits: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
        """What each window adds to the sums: (S, C, h, w) and (S, h, w) -> (S, 3 C)."""
        channels = logits.shape[1]
        sigmoid = self.use_sigmoid or channels == 1
        probability = logits.sigmoid() if sigmoid else logits.softmax(dim=1)
        classes = torch.arange(channels, device=labels.device) + (channels == 1)
        target = labels[:, None] == classes[:, None, None]
        probability = probability * (labels != ignore_index)[:, None]
        parts = (probability * target, probability, target)
        return torch.cat([x.flatten(2).sum(2) for x in parts], dim=1)

    def value(self, sums: Tensor) -> Tensor:
        """The loss from the sums (B, 3 C) over images."""
        both, predicted, target = sums.chunk(3, dim=1)
        dice = (2 * both + self.eps) / (predicted + target + self.eps)
        return self.loss_weight * (1 - dice.mean())
