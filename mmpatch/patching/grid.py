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
    """The m x n non-overlapping patches of side P that cover an image, and the window of each.

    The *window* of a patch is what theta1 reads for it, of side Q = P + 2 halo. It has the patch in
    its middle, but for one rule: a window stays inside the image. At the border it is moved inwards
    by whole strides, and the patch lies off its middle by as much. So theta1 sees the border of the
    image where it would see it in the whole image.

    Only the last stride that the image fills partly, and what an image smaller than a window leaves
    of it, lie beyond the image. They read as zero.

    Args:
        height: Height of the image [px].
        width: Width of the image [px].
        patch_size: Side P of a patch [px].
        halo: Context read around a patch on every side [px]; its features are cut off again.
        stride: Largest stride of theta1 [px]. Windows are moved by multiples of it, so that the
            cells of a feature map lie in the same places in every window.

    Raises:
        ValueError: If a size is not positive, the halo is negative, or one of P and halo is no
            multiple of the stride.
    """

    height: int
    width: int
    patch_size: int
    halo: int = 0
    stride: int = 1

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.patch_size, self.stride) < 1 or self.halo < 0:
            raise ValueError(
                'a patch grid needs height, width, patch_size and stride >= 1 and halo >= 0, got '
                f'{self.height} x {self.width} px, patch_size={self.patch_size}, '
                f'stride={self.stride}, halo={self.halo}'
            )
        if self.patch_size % self.stride or self.halo % self.stride:
            raise ValueError(
                f'patch_size={self.patch_size} and halo={self.halo} px must be multiples of '
                f'stride={self.stride} px: choose other sizes or a stride that divides both'
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

    @property
    def window_size(self) -> int:
        """Side Q = P + 2 halo of a window [px]."""
        return self.patch_size + 2 * self.halo

    def origins(self) -> Tensor:
        """Top left corners (y, x) of the patches without halo [px], row by row; (N, 2) int64."""
        ys = torch.arange(self.rows) * self.patch_size
        xs = torch.arange(self.cols) * self.patch_size
        return torch.cartesian_prod(ys, xs).reshape(-1, 2)

    def window(self, index: int) -> tuple[slice, slice, tuple[int, int, int, int]]:
        """The part of the image that the window of a patch covers.

        Args:
            index: Number of the patch, 0 <= index < N.

        Returns:
            Row slice and column slice into the image, and how many pixels of the window lie
            outside of it as (left, right, top, bottom), the order of ``torch.nn.functional.pad``.
        """
        row, col = divmod(index, self.cols)
        above, before = self.margin(index)
        top, left = row * self.patch_size - above, col * self.patch_size - before
        side = self.window_size
        y0, y1 = max(top, 0), min(top + side, self.height)
        x0, x1 = max(left, 0), min(left + side, self.width)
        outside = (x0 - left, left + side - x1, y0 - top, top + side - y1)
        return slice(y0, y1), slice(x0, x1), outside

    def margin(self, index: int) -> tuple[int, int]:
        """Where a patch starts in its window, (y, x) [px]."""
        if not 0 <= index < self.num_patches:
            raise IndexError(f'patch {index} of a grid of {self.num_patches}')
        row, col = divmod(index, self.cols)
        return self._margin(row, self.height), self._margin(col, self.width)

    def _margin(self, place: int, length: int) -> int:
        """The same along one axis, for the patch at a place of it; ``length`` is the image's side."""
        patch = place * self.patch_size
        end = -(-length // self.stride) * self.stride  # of the image, in whole strides
        last = max(end - self.window_size, 0)
        return patch - min(max(patch - self.halo, 0), last)

    def split(self, image: Tensor) -> Tensor:
        """Cut an image (C, H, W) into its windows (N, C, Q, Q), zeros outside the image.

        :meth:`crop` gives the patches, and :meth:`merge` the image again.

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

    def crop(self, index: int, feature: Tensor) -> Tensor:
        """Cut the map of a window to the cells of its patch.

        Args:
            index: Number of the patch.
            feature: (D, q, q), a map of its window. Cells have Q / q px, a divisor of the stride.

        Returns:
            (D, h, w); zeros for cells of the patch that lie beyond the window, and so beyond the
            image.
        """
        length = feature.shape[-1]
        y, x = (margin * length // self.window_size for margin in self.margin(index))
        cells = self.patch_size * length // self.window_size
        inside = feature[:, y : y + cells, x : x + cells]
        return F.pad(inside, (0, cells - inside.shape[2], 0, cells - inside.shape[1]))

    def merge(self, patches: Tensor, *, crop: bool = True) -> Tensor:
        """Put per-patch maps (N, D, h, w) back in place.

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
