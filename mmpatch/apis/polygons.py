"""Labels of a scene as polygons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.features import shapes
from rasterio.windows import Window

from mmpatch.datasets.raster_image import RasterImage

from .detection_files import class_name
from .labels_file import IGNORED
from .scene_coordinates import SceneCoordinates
from .vector_file import Feature, vector_file

#: Rows of a strip whose polygons are found at once [px]; polygons end at its border.
STRIP = 4096


def write_polygons(
    outs: Sequence[Path], labels: Path, image: RasterImage, classes: Sequence[str]
) -> int:
    """Write the regions of a label file as polygons.

    The file is read in strips of 4096 rows. Regions are cut where strips meet, so that memory does
    not grow with the height of the scene. Pixels without data belong to no polygon.

    Args:
        outs: Files to write, ``.geojson`` or ``.gpkg``.
        labels: What :func:`mmpatch.apis.segment_raster` wrote.
        image: The scene; gives the coordinates.
        classes: Names of the classes; a class without one has its number.

    Returns:
        Number of polygons.
    """
    coordinates, count = SceneCoordinates(image), 0
    with ExitStack() as stack:
        files = [
            stack.enter_context(vector_file(out, coordinates, ('label', 'class'))) for out in outs
        ]
        for features in _strips(labels, coordinates.transform, classes):
            count += len(features)
            for file in files:
                file.write(features)
    return count


def _strips(labels: Path, transform: Affine, classes: Sequence[str]) -> Iterator[list[Feature]]:
    """The polygons of each strip."""
    with rasterio.open(labels) as source:
        for top in range(0, source.height, STRIP):
            window = Window(0, top, source.width, min(STRIP, source.height - top))
            strip = source.read(1, window=window)
            moved = transform * Affine.translation(0, top)
            yield [
                Feature(
                    [np.asarray(ring, dtype=np.float64) for ring in outline['coordinates']],
                    {'label': int(label), 'class': class_name(classes, int(label))},
                )
                for outline, label in shapes(strip, mask=strip != IGNORED, transform=moved)
            ]
