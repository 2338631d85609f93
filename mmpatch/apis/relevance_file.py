"""The relevance of patches as a raster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from .scene_coordinates import SceneCoordinates


def write_relevance(
    out: Path, relevance: NDArray[Any], patch_size: int, coordinates: SceneCoordinates
) -> None:
    """Write how much each patch speaks for the predicted class, one pixel per patch.

    Args:
        out: GeoTIFF to write.
        relevance: (m, n), negative where a patch speaks against the class.
        patch_size: Side P of a patch [px].
        coordinates: Of the scene.
    """
    part = out.with_name(f'.{out.name}.part')
    height, width = relevance.shape
    settings = dict(driver='GTiff', dtype='float32', count=1, height=height, width=width)
    transform = coordinates.transform * Affine.scale(patch_size)
    try:
        with rasterio.open(
            part, 'w', crs=coordinates.crs, transform=transform, **settings
        ) as target:
            target.write(relevance.astype(np.float32), 1)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
