"""A picture of a segmented scene to look at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mmcv

from mmpatch.datasets.raster_image import RasterImage
from mmpatch.visualization.mask_page import draw_mask_page, visible, visible_range


def draw_overlay(
    image: RasterImage, labels: Path, out: Path, meta: Mapping[str, Any], side: int = 1000
) -> None:
    """Draw an image and its labels side by side, reduced, and in details where classes meet.

    Args:
        image: What was segmented.
        labels: What :func:`segment_raster` wrote.
        out: PNG to write.
        meta: ``classes`` and ``palette``, if they are known.
        side: Longer side of a panel at most [px].
    """
    mask = RasterImage(labels, fill=None)
    height, width = image.shape[1:]
    shrink = max(1.0, max(height, width) / side)
    overview = image.view((0, 0, width, height), (round(height / shrink), round(width / shrink)))
    span = visible_range(overview)
    page = draw_mask_page(
        Path(image.path).name,
        (height, width),
        lambda region, size: visible(image.view(region, size), span),
        {'prediction': lambda region, size: mask.view(region, size, nearest=True)[..., 0]},
        meta,
        side,
    )
    mmcv.imwrite(page[..., ::-1], str(out))
