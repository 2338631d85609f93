"""Whole-slide images, read at the level that fits."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

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
        on_error: What to do about a slide that cannot be read: ``'raise'``, or ``'skip'`` it, which
            logs the file and how many there were, and lets the data set draw another one in training.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is truncated or no image, or an argument is none of those.
    """

    def __init__(self, size: int, pad_value: int = 255, on_error: str = 'raise') -> None:
        if size < 1:
            raise ValueError(f'size must be at least 1 px, got {size}')
        if on_error not in ('raise', 'skip'):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
        self.on_error = on_error
        self.skipped = 0
        self.size = size
        self.pad_value = pad_value

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Read one slide; None if it cannot be read and is skipped."""
        try:
            slide = RasterImage(results['img_path'])
            channels, height, width = slide.shape
            scale = self.size / max(height, width)
            inner = (max(1, round(height * scale)), max(1, round(width * scale)))
            pixels = slide.view((0, 0, width, height), inner)
        except (FileNotFoundError, ValueError) as error:
            if self.on_error == 'raise':
                raise
            self.skipped += 1
            print_log(
                f'skipped ({self.skipped} by this process so far): {error}',
                logger='current',
                level=logging.WARNING,
            )
            return None
        image = np.full((self.size, self.size, channels), self.pad_value, dtype=pixels.dtype)
        top, left = ((self.size - length) // 2 for length in inner)
        image[top : top + inner[0], left : left + inner[1]] = pixels
        results.update(img=image, img_shape=image.shape[:2], ori_shape=(height, width))
        return results
