"""Patches that show nothing but background."""

from __future__ import annotations

import logging
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor

from mmpatch.patching import Pixels

#: A patch is looked at in this many cells a side.
CELLS = 16


class Background:
    """Finds the patches of an image that show more than its background.

    An image is looked at in a reduced size, ``CELLS`` cells to a side of a patch; a patch is blank if
    no channel of any cell's mean differs from the background by more than the tolerance. Files are
    read in that size, from their overviews.

    Args:
        value: Value of the background: 255 on slides, 0 behind bright digits.
        tolerance: Difference from it that is still background.

    Raises:
        ValueError: If the tolerance is negative.
    """

    def __init__(self, value: float = 255.0, tolerance: float = 16.0) -> None:
        if tolerance < 0:
            raise ValueError(f'tolerance must not be negative, got {tolerance}')
        self.value = value
        self.tolerance = tolerance

    def foreground(self, image: Pixels, patch_size: int) -> Tensor:
        """Say which patches are not blank; of an image that is all blank, the middle one is kept.

        Args:
            image: (C, H, W), a tensor or a file.
            patch_size: Side of a patch [px].

        Returns:
            (N,) bool, patches row by row.
        """
        side = patch_size // CELLS if patch_size % CELLS == 0 else 1
        cells = patch_size // side
        rows, cols = (-(-length // patch_size) for length in image.shape[1:])
        seen = torch.zeros(rows, cols, dtype=torch.bool)
        for row in range(rows):
            means = _means(image, row * patch_size, patch_size, side)
            differs = ((means - self.value).abs() > self.tolerance).any(dim=0).float()
            seen[row] = F.max_pool2d(
                differs[None, None], (differs.shape[0], cells), ceil_mode=True
            ).flatten()
        found = seen.flatten()
        if not bool(found.any()):
            print_log(
                f'{getattr(image, "path", f"an image of {image.shape[1]} x {image.shape[2]} px")} '
                f'is all background ({self.value:g} +- {self.tolerance:g}): one patch of it is kept',
                logger='current',
                level=logging.WARNING,
            )
            found[rows // 2 * cols + cols // 2] = True
        return found


def _means(image: Any, top: int, height: int, side: int) -> Tensor:
    """Means (C, h, w) of the cells in rows from ``top`` on."""
    _, bottom, width = image.shape
    bottom = min(bottom, top + height)
    if isinstance(image, Tensor):
        band = image[:, top:bottom].float()
        return F.avg_pool2d(band[None], side, ceil_mode=True, count_include_pad=False)[0]
    size = (-(-(bottom - top) // side), -(-width // side))
    return torch.from_numpy(image.view((0, top, width, bottom), size).astype('float32')).movedim(
        2, 0
    )
