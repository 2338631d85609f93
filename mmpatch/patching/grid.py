"""Geometry of one image cut into patches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

#: Offsets (row, column) of the 3 x 3 neighbourhood of a patch, itself in the middle (entry 4).
NEIGHBOURHOOD = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))


@dataclass(frozen=True)
class PatchGrid:
    """The m x n non-overlapping windows of side P that cover an image.

    The last row and column may reach beyond the image; what lies there reads as zero.

    Args:
        height: Height of the image [px].
        width: Width of the image [px].
        patch_size: Side P of a patch [px].
        halo: Context read around a patch on every side [px]; its features are cropped off again.
            At the border of the grid the window is moved inwards instead of reaching over it, so
            that the border is where a convolution over the whole image would have it.

    Raises:
        ValueError: If a size is not positive or the halo is negative.
    """

    height: int
    width: int
    patch_size: int
    halo: int = 0

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.patch_size) < 1 or self.halo < 0:
            raise ValueError(
                'a patch grid needs height, width and patch_size >= 1 and halo >= 0, got '
                f'{self.height} x {self.width} px, patch_size={self.patch_size}, halo={self.halo}'
            )

    @property
    def rows(self) -> int:
        """Number m of patch rows."""
        return -(-self.height // self.patch_size)

    @property
    def cols(self) -> int:
        """Number n of patch columns."""
        return -(-self.width // self.patch_size)

    @property
    def num_patches(self) -> int:
        """Number N = m * n of patches."""
        return self.rows * self.cols

    @property
    def global_size(self) -> tuple[int, int]:
        """Height and width of the image within its global patch [px]; the longer one is P."""
        longer = max(self.height, self.width)
        height, width = (
            max(1, round(side * self.patch_size / longer)) for side in (self.height, self.width)
        )
        return height, width

    @property
    def global_scale(self) -> tuple[float, float]:
        """Factors (y, x) from pixels of the image to pixels of its global patch."""
        height, width = self.global_size
        return height / self.height, width / self.width

    def origins(self) -> Tensor:
        """Top left corners (y, x) of the patches without halo [px], row by row; (N, 2) int64."""
        ys = torch.arange(self.rows) * self.patch_size
        xs = torch.arange(self.cols) * self.patch_size
        return torch.cartesian_prod(ys, xs).reshape(-1, 2)

    def window(self, index: int) -> tuple[slice, slice, tuple[int, int, int, int]]:
        """The part of the image that the window of a patch (with halo) covers.

        Args:
            index: Number of the patch, 0 <= index < N.

        Returns:
            Row slice and column slice into the image, and how many pixels of the window lie
            outside of it as (left, right, top, bottom), the order of ``torch.nn.functional.pad``.
        """
        row, col = divmod(index, self.cols)
        above, before = self.margin(index)
        top, left = row * self.patch_size - above, col * self.patch_size - before
        side = self.patch_size + 2 * self.halo
        y0, y1 = max(top, 0), min(top + side, self.height)
        x0, x1 = max(left, 0), min(left + side, self.width)
        outside = (x0 - left, left + side - x1, y0 - top, top + side - y1)
        return slice(y0, y1), slice(x0, x1), outside

    def margin(self, index: int) -> tuple[int, int]:
        """Where a patch starts in its window, (y, x) [px]."""
        if not 0 <= index < self.num_patches:
            raise IndexError(f'patch {index} of a grid of {self.num_patches}')
        row, col = divmod(index, self.cols)
        margins = []
        for place, count in ((row, self.rows), (col, self.cols)):
            last = max((count - 1) * self.patch_size - 2 * self.halo, 0)
            start = min(max(place * self.patch_size - self.halo, 0), last)
            margins.append(place * self.patch_size - start)
        return margins[0], margins[1]

    def split(self, image: Tensor) -> Tensor:
        """Cut an image (C, H, W) into its windows (N, C, Q, Q), zeros outside the image.

        Raises:
            ValueError: If the image has another size than the grid.
        """
        if tuple(image.shape[-2:]) != (self.height, self.width):
            raise ValueError(
                f'this grid cuts images of {self.height} x {self.width} px, got '
                f'{image.shape[-2]} x {image.shape[-1]}'
            )
        windows = []
        for index in range(self.num_patches):
            rows, cols, outside = self.window(index)
            windows.append(F.pad(image[:, rows, cols], outside))
        return torch.stack(windows)

    def merge(self, patches: Tensor, *, crop: bool = True) -> Tensor:
        """Put per-patch maps (N, D, h, w) back in place, the inverse of :meth:`split` for halo 0.

        Args:
            patches: Maps of all patches, row by row; their stride is P / h.
            crop: Cut off the part that lies beyond the image (rounded up to whole cells).

        Returns:
            (D, m*h, n*w), or (D, ceil(H / stride), ceil(W / stride)) if cropped.
        """
        count, channels, h, w = patches.shape
        if count != self.num_patches:
            raise ValueError(f'expected maps of {self.num_patches} patches, got {count}')
        stitched = (
            patches.reshape(self.rows, self.cols, channels, h, w)
            .permute(2, 0, 3, 1, 4)
            .reshape(channels, self.rows * h, self.cols * w)
        )
        if not crop:
            return stitched
        height = -(-self.height * h // self.patch_size)
        width = -(-self.width * w // self.patch_size)
        return stitched[:, :height, :width]

    def neighbours(self) -> Tensor:
        """Numbers of the 3 x 3 neighbours of every patch, -1 outside the grid; (N, 9) int64."""
        padded = torch.full((self.rows + 2, self.cols + 2), -1, dtype=torch.long)
        padded[1:-1, 1:-1] = torch.arange(self.num_patches).reshape(self.rows, self.cols)
        shifted = [
            padded[1 + dy : 1 + dy + self.rows, 1 + dx : 1 + dx + self.cols].reshape(-1)
            for dy, dx in NEIGHBOURHOOD
        ]
        return torch.stack(shifted, dim=1)
