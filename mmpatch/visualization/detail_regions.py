"""The regions of a large image with the most to see."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .canvas import Region

#: Candidates for a region lie this part of its side apart.
STEPS_A_SIDE = 4


def choose_regions(
    centres: NDArray[Any], image_size: tuple[int, int], side: int, count: int
) -> list[Region]:
    """Choose square regions where most points are; they do not overlap.

    The fullest region is taken first, the topmost, then leftmost of equally full ones. Where the
    image is narrower than ``side``, so are the regions.

    Args:
        centres: (N, 2) points x, y [px].
        image_size: Height and width of the image [px].
        side: Side of a region [px].
        count: How many regions to choose at most; none is chosen that holds no point.

    Returns:
        The regions, sorted from left to right in rows from top to bottom.
    """
    height, width = image_size
    tall, wide = min(side, height), min(side, width)
    xs, ys = _starts(width, wide), _starts(height, tall)
    in_column = (centres[:, 0] >= xs[:, None]) & (centres[:, 0] < xs[:, None] + wide)
    in_row = (centres[:, 1] >= ys[:, None]) & (centres[:, 1] < ys[:, None] + tall)
    counts = in_row.astype(np.float32) @ in_column.astype(np.float32).T
    regions: list[Region] = []
    while len(regions) < count:
        row, column = np.unravel_index(int(counts.argmax()), counts.shape)
        if counts[row, column] <= 0:
            break
        x, y = int(xs[column]), int(ys[row])
        regions.append((x, y, x + wide, y + tall))
        near_x, near_y = abs(xs - x) < wide, abs(ys - y) < tall
        counts[np.ix_(near_y, near_x)] = 0
    return sorted(regions, key=lambda region: (region[1], region[0]))


def _starts(length: int, side: int) -> NDArray[Any]:
    """Evenly spaced starts of windows of ``side`` in ``length``, the first and last included."""
    number = -(-(length - side) * STEPS_A_SIDE // side) + 1
    return np.linspace(0, length - side, number).round().astype(int)
