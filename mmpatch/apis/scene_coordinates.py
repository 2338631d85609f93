"""From pixels of a scene to coordinates on the ground."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from affine import Affine
from mmengine.logging import print_log
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform as reproject

from mmpatch.datasets.raster_image import RasterImage

WGS84 = CRS.from_epsg(4326)


class SceneCoordinates:
    """Coordinate system and transform of a scene.

    A scene without coordinates keeps pixels, x to the right and y down. This is said once per scene.

    Args:
        image: The scene.

    Attributes:
        crs: The coordinate system; None if the file names none.
        transform: From pixels (x, y) to coordinates.
        geojson_crs: Name of the coordinate system in GeoJSON; None for WGS 84, or if there is none. A
            system without a registered number has no name that readers know. Its coordinates are
            written in WGS 84.
    """

    def __init__(self, image: RasterImage) -> None:
        self.crs: CRS | None = image.profile.get('crs')
        self.transform: Affine = image.profile.get('transform') or Affine.identity()
        self.geojson_crs = _geojson_name(self.crs)
        if self.crs is None and self.transform == Affine.identity():
            print_log(
                f'{image.path} has no coordinates: results are in pixels, x to the right and y down',
                logger='current',
                level=logging.WARNING,
            )

    def corners(self, bboxes: NDArray[Any]) -> NDArray[np.float64]:
        """Closed outlines of boxes.

        Args:
            bboxes: (N, 4) left, top, right, bottom [px].

        Returns:
            (N, 5, 2) x and y of the corners; the last is the first again.
        """
        x0, y0, x1, y1 = bboxes.T.astype(np.float64)
        xs, ys = np.stack([x0, x0, x1, x1, x0]), np.stack([y0, y1, y1, y0, y0])
        a, b, c, d, e, f = self.transform[:6]
        return np.stack([a * xs + b * ys + c, d * xs + e * ys + f], axis=-1).transpose(1, 0, 2)

    def for_geojson(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (N, 2) in the coordinate system that :attr:`geojson_crs` names."""
        if self.crs is None or self.crs == WGS84 or self.geojson_crs is not None:
            return points
        return np.stack(reproject(self.crs, WGS84, *points.T.tolist()), axis=-1)


def _geojson_name(crs: CRS | None) -> str | None:
    authority = None if crs is None or crs == WGS84 else crs.to_authority()
    return None if authority is None else 'urn:ogc:def:crs:{}::{}'.format(*authority)
