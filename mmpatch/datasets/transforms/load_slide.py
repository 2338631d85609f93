"""Whole-slide images, read at the level that fits."""

from __future__ import annotations

import logging
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log
from numpy.typing import NDArray

from mmpatch.datasets.raster_image import RasterImage
from mmpatch.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadSlide(BaseTransform):
    """Read a multi-level TIFF in a size of choice, centred on a white square.

    The longer side becomes ``size``; GDAL reads the smallest level that is at least as large, so that
    neither time nor memory depend on the size of the slide. Colours come in the order blue, green,
    red, as of every reader of the host libraries.

    Required key: ``img_path``. Without it ``img`` (H, W, C) is reduced instead: mmpretrain's Inferencer
    has read the image itself. Adds ``img`` (size, size, C), ``img_shape`` and ``ori_shape``.

    Source: Patch Gradient Descent (Gupta et al. 2023, arXiv:2301.13817), section on PANDA.

    Args:
        size: Side of the image to give [px].
        pad_value: Grey value around the slide.
        on_error: ``'raise'`` stops at a slide that cannot be read. ``'skip'`` logs the file with a
            running count, and the data set draws another slide in training.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is truncated or no image, or an argument is invalid.
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
            pixels, original = self._reduced(results)
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
        height, width, channels = pixels.shape
        image = np.full((self.size, self.size, channels), self.pad_value, dtype=pixels.dtype)
        top, left = (self.size - height) // 2, (self.size - width) // 2
        image[top : top + height, left : left + width] = pixels
        results.update(img=image, img_shape=image.shape[:2], ori_shape=original)
        return results

    def _reduced(self, results: dict[str, Any]) -> tuple[NDArray[Any], tuple[int, int]]:
        """The slide (h, w, C) with its longer side at ``size``, and its full height and width."""
        if 'img_path' not in results:
            height, width = results['img'].shape[:2]
            inner = self._inner(height, width)
            reduced = cv2.resize(results['img'], inner[::-1], interpolation=cv2.INTER_AREA)
            return reduced.reshape(*inner, -1), (height, width)
        slide = RasterImage(results['img_path'])
        channels, height, width = slide.shape
        pixels = slide.view((0, 0, width, height), self._inner(height, width))
        if channels in (3, 4):
            pixels = pixels[..., [2, 1, 0, 3][:channels]]
        return pixels, (height, width)

    def _inner(self, height: int, width: int) -> tuple[int, int]:
        scale = self.size / max(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))
