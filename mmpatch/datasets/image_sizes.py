"""Sizes of a data set's images, from annotations or file headers."""

from __future__ import annotations

from typing import Any

from .raster_image import RasterImage


def largest_image(dataset: Any) -> int:
    """Index of the image with the most pixels.

    Sizes come from the annotations, else from the headers of the files. A data set that tells
    neither sizes nor paths counts as having images of one size.

    Args:
        dataset: A data set of the host libraries, or any other one.
    """
    if not hasattr(dataset, 'get_data_info'):
        return 0
    dataset.full_init()
    areas = [_area(dataset.get_data_info(index)) for index in range(len(dataset))]
    return areas.index(max(areas))


def _area(info: dict[str, Any]) -> int:
    """Number of pixels of an image; 0 if nothing tells."""
    if info.get('height') and info.get('width'):
        return int(info['height']) * int(info['width'])
    if not info.get('img_path'):
        return 0
    _, height, width = RasterImage(info['img_path']).shape
    return int(height) * int(width)
