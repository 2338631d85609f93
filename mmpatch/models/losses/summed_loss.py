"""Losses as functions of sums over pixels, among them stock losses."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from mmseg.models.losses import CrossEntropyLoss
from torch import Tensor


@runtime_checkable
class SummedLoss(Protocol):
    """A loss that depends on an image only through sums over its pixels.

    Patches add to the sums one after the other. The sums are enough for the value, and for its
    derivative with respect to the contribution of any patch.

    Attributes:
        loss_name: Name in the log.
        normaliser: Column of the sums that divides the loss of a batch, over all ranks; None if
            images are independent.
    """

    loss_name: str
    normaliser: int | None

    def sums(self, logits: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
        """Contribution of each window to the sums: (S, C, h, w) and (S, h, w) -> (S, k)."""

    def value(self, sums: Tensor) -> Tensor:
        """The loss from the sums over each image, (B, k)."""


class CrossEntropySums:
    """mmseg's cross entropy, binary or not, as a weighted sum over pixels and its divisor.

    Args:
        loss: The stock loss, with ``reduction='mean'`` and ``avg_non_ignore=True``.

    Raises:
        ValueError: If the loss averages otherwise.
    """

    normaliser: int | None = 1

    def __init__(self, loss: CrossEntropyLoss) -> None:
        if loss.reduction != 'mean' or not loss.avg_non_ignore or loss.use_mask:
            raise ValueError(
                "patch-wise training needs CrossEntropyLoss with reduction='mean', use_mask=False "
                f'and avg_non_ignore=True, got {loss.reduction!r}, {loss.use_mask} and '
                f'{loss.avg_non_ignore}: averages over ignored pixels depend on padding'
            )
        self.loss = loss
        self.loss_name: str = loss.loss_name

    def sums(self, logits: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
        """Weighted loss and weights, each summed over each window; (S, 2)."""
        valid = labels != ignore_index
        if not bool(valid.any()):
            return torch.stack([logits.flatten(1).sum(1) * 0, valid.flatten(1).sum(1)], dim=1)
        loss = self.loss(logits, labels, reduction_override='none', ignore_index=ignore_index)
        weights = valid
        if self.loss.class_weight is not None and not self.loss.use_sigmoid:
            table = logits.new_tensor(self.loss.class_weight)
            weights = table[labels.masked_fill(~valid, 0)] * valid
        count = weights.flatten(1).sum(1)
        if self.loss.use_sigmoid:
            count = count * logits.shape[1]
        return torch.stack([loss.flatten(1).sum(1), count], dim=1)

    def value(self, sums: Tensor) -> Tensor:
        """The loss of the batch from the sums (B, 2) over images."""
        total, count = sums.sum(dim=0)
        return total / (count + torch.finfo(torch.float32).eps)  # as in the stock loss


class PixelAccuracy:
    """Share of pixels with the correct class, for the log [%].

    Args:
        threshold: With one output channel, pixels above this probability are foreground.
    """

    loss_name = 'acc_seg'
    normaliser: int | None = None

    def __init__(self, threshold: float | None = None) -> None:
        self.threshold = 0.5 if threshold is None else threshold

    @torch.no_grad()
    def sums(self, logits: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
        """Number of correct pixels and of valid pixels in each window; (S, 2)."""
        binary = logits.shape[1] == 1
        # argmax over few channels is nine times as slow on a CPU
        predicted = logits[:, 0].sigmoid() > self.threshold if binary else logits.max(dim=1).indices
        valid = labels != ignore_index
        right = (predicted == labels) & valid
        return torch.stack([x.flatten(1).sum(1) for x in (right, valid)], dim=1)

    def value(self, sums: Tensor) -> Tensor:
        """The share [%] from the sums (B, 2)."""
        right, valid = sums.sum(dim=0)
        return 100 * right / valid.clamp(min=1)


def summed(loss: Any) -> SummedLoss:
    """Return a decode head's loss as a function of sums over pixels.

    Raises:
        TypeError: If the loss has no such form that we know.
    """
    if isinstance(loss, SummedLoss):
        return loss
    if isinstance(loss, CrossEntropyLoss):
        return CrossEntropySums(loss)
    raise TypeError(
        f'{type(loss).__name__} cannot be computed patch by patch: use CrossEntropyLoss (with '
        "use_sigmoid=True for binary masks), 'mmpatch.PatchDiceLoss', or a loss with the methods "
        'sums() and value() of mmpatch.models.losses.SummedLoss'
    )
