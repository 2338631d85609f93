"""The losses of a batch of images that are never in memory as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from .summed_loss import SummedLoss

#: Sums over each image, (B, k) float64, one tensor for each loss.
Sums = tuple[Tensor, ...]


class ImageLosses:
    """Losses that depend on images only through sums over their pixels.

    Args:
        losses: The losses, each as a function of its sums.
    """

    def __init__(self, losses: Sequence[SummedLoss]) -> None:
        self.losses = losses

    def sums(
        self, logits: Tensor, labels: Tensor, images: Tensor, count: int, ignore_index: int
    ) -> Sums:
        """Contribution of windows to the sums of their images.

        Args:
            logits: (S, C, h, w).
            labels: (S, h, w) int64.
            images: Image of each window, (S,) int64.
            count: Number B of images.
            ignore_index: Label of pixels that are left out.
        """
        logits = logits if logits.dtype == torch.float64 else logits.float()
        images = images.to(logits.device)
        sums = []
        with torch.autocast(logits.device.type, enabled=False):
            for loss in self.losses:
                own = loss.sums(logits, labels, ignore_index).double()
                sums.append(own.new_zeros(count, own.shape[1]).index_add(0, images, own))
        return tuple(sums)

    def normalisers(self, totals: Sums) -> Tensor:
        """Divisors of a batch's losses, averaged over ranks; one number per loss that has one.

        Every rank has to call this equally often.
        """
        own = self._own_normalisers(totals)
        all_reduce(own, op='mean')
        return own

    def normalised(self, totals: Sums, normalisers: Tensor) -> Sums:
        """Totals of this rank's batch with the divisors of all ranks in place of its own."""
        shared = iter(normalisers)
        result = []
        for loss, total in zip(self.losses, totals):
            total = total.clone()
            if loss.normaliser is not None:
                # The loss divides by the sum over images, so any split of that sum will do. A
                # factor on each image's own would fail where a rank has no valid pixel.
                total[:, loss.normaliser] = next(shared) / len(total)
            result.append(total)
        return tuple(result)

    def values(self, sums: Sums) -> dict[str, Tensor]:
        """The losses from the sums over whole images, by name."""
        values: dict[str, Tensor] = {}
        for loss, own in zip(self.losses, sums):
            values[loss.loss_name] = values.get(loss.loss_name, 0) + loss.value(own)
        return values

    def shares(self, sums: Sums, totals: Sums, share: float) -> dict[str, Tensor]:
        """The losses of whole images, with the gradient that flows through some windows.

        Args:
            sums: Contribution of these windows, with gradient.
            totals: Sums over whole images, without gradient.
            share: Number of these windows, divided by the number of all windows.

        Returns:
            Values times ``share``, so that the values of all windows add up to the losses. The
            gradient is not scaled: it is the part that flows through these windows.
        """
        live = tuple(total + own - own.detach() for total, own in zip(totals, sums))
        return {
            name: value + (share - 1) * value.detach() for name, value in self.values(live).items()
        }

    def _own_normalisers(self, totals: Sums) -> Tensor:
        own = [
            total[:, loss.normaliser].sum()
            for loss, total in zip(self.losses, totals)
            if loss.normaliser is not None
        ]
        return torch.stack(own) if own else totals[0].new_zeros(0)
