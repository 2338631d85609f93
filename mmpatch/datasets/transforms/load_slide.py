"""Whole-slide images, read at the level that fits."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmpatch.datasets.raster_image import RasterImage
from mmpatch.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadSlide(BaseTransform):
    """Read a multi-level TIFF in a size of choice, centred on a white square.

    The longer side becomes ``size``; GDAL reads the smallest level that is at least as large, so that
    neither time nor memory depend on the size of the slide.

    Required key: ``img_path``. Adds ``img`` (size, size, C), ``img_shape`` and ``ori_shape``.

    Source: Patch Gradient Descent (Gupta et al. 2023, arXiv:2301.13817), section on PANDA.

    Args:
        size: Side of the image to give [px].
        pad_value: Grey value around the slide.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is truncated or no image, or the size is not positive.
    """

    def __init__(self, size: int, pad_value: int = 255) -> None:
        if size < 1:
            raise ValueError(f'size must be at least 1 px, got {size}')
        self.size = size
        self.pad_value = pad_value

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read one slide."""
        slide = RasterImage(results['img_path'])
        channels, height, width = slide.shape
        scale = self.size / max(height, width)
        inner = (max(1, round(height * scale)), max(1, round(width * scale)))
        pixels = slide.view((0, 0, width, height), inner)
        image = np.full((self.size, self.size, channels), self.pad_value, dtype=pixels.dtype)
        top, left = ((self.size - length) // 2 for length in inner)
        image[top : top + inner[0], left : left + inner[1]] = pixels
        results.update(img=image, img_shape=image.shape[:2], ori_shape=(height, width))
        return results
