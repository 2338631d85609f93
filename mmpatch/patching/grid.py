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

    theta1 reads the *window* of a patch: a square of side Q = P + 2 halo with the patch in its middle.
    At the border of the image the window is moved inwards by whole strides, so that theta1 finds the
    border where it is in the whole image. The patch then lies off the middle of its window.

    Zeros are read in two places only, at the right and at the bottom: up to the next whole stride,
    and where the image is smaller than a window.

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

    def window(self, index: int) -> tuple[slice, slice]:
        """The part of the image that the window of a patch covers.

        Args:
            index: Number of the patch, 0 <= index < N.

        Returns:
            Rows and columns of the image, at most Q each; what is missing lies below and to the
            right of the image.
        """
        if not 0 <= index < self.num_patches:
            raise IndexError(f'patch {index} of a grid of {self.num_patches}')
        row, col = divmod(index, self.cols)
        return self._window(row, self.height), self._window(col, self.width)

    def _window(self, place: int, length: int) -> slice:
        """The window of the patch at some place along one axis of the image."""
        whole_strides = -(-length // self.stride) * self.stride
        last = max(whole_strides - self.window_size, 0)
        start = min(max(place * self.patch_size - self.halo, 0), last)
        return slice(start, min(start + self.window_size, length))

    def margin(self, index: int) -> tuple[int, int]:
        """Where a patch starts in its window, (y, x) [px]."""
        rows, cols = self.window(index)
        row, col = divmod(index, self.cols)
        return row * self.patch_size - rows.start, col * self.patch_size - cols.start

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
            rows, cols = self.window(index)
            part = image[:, rows, cols]
            missing = (0, self.window_size - part.shape[2], 0, self.window_size - part.shape[1])
            windows.append(F.pad(part, missing))
        return torch.stack(windows)

    def crop(self, index: int, feature: Tensor) -> Tensor:
        """Cut the map of a window to the cells of its patch.

        Args:
            index: Number of the patch.
            feature: (D, q, q), a map of its window. Cells have Q / q px, a divisor of the stride.

        Returns:
            (D, h, w); zeros for cells beyond the window, which lie beyond the image.
        """
        length = feature.shape[-1]
        y, x = (margin * length // self.window_size for margin in self.margin(index))
        cells = self.patch_size * length // self.window_size
        inside = feature[:, y : y + cells, x : x + cells]
        missing = (0, cells - inside.shape[2], 0, cells - inside.shape[1])
        return F.pad(inside, missing) if any(missing) else inside

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
