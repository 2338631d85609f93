"""Labels of a scene as a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.shutil import copy
from rasterio.windows import Window

from mmpatch.datasets.raster_image import RasterImage

Labels = npt.NDArray[np.uint8]
#: Label of pixels without data.
IGNORED = 255


def write_labels(
    out: Path,
    strips: Iterable[Labels],
    image: RasterImage,
    palette: Sequence[Sequence[int]] | None = None,
) -> None:
    """Write labels as a tiled GeoTIFF, or as PNG.

    Args:
        out: File to write; as PNG with the suffix ``.png``, else as GeoTIFF.
        strips: Labels (h, W), from the first row of the image to the last.
        image: What was segmented; gives size, coordinate system and transform.
        palette: Colours of the classes, stored in the file.
    """
    part = out.with_name(f'.{out.name}.part')
    png = part.with_suffix('.png')
    settings = dict(
        driver='GTiff',
        dtype='uint8',
        count=1,
        width=image.shape[2],
        height=image.shape[1],
        crs=image.profile.get('crs'),
        transform=image.profile.get('transform'),
        nodata=IGNORED if image.may_lack_data else None,
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress='deflate',
        bigtiff='if_safer',
    )
    try:
        with rasterio.open(part, 'w', **settings) as target:
            if palette is not None:
                colours = {i: (*map(int, c), 255) for i, c in enumerate(palette)}
                target.write_colormap(1, {**colours, IGNORED: (0, 0, 0, 0)})
            top = 0
            for labels in strips:
                target.write(labels, 1, window=Window(0, top, labels.shape[1], labels.shape[0]))
                top += labels.shape[0]
        if out.suffix.lower() == '.png':  # its rows can only be written from first to last
            # PNG has no place for coordinates; GDAL would leave them in a file beside it.
            with rasterio.Env(GDAL_PAM_ENABLED='NO'):
                copy(part, png, driver='PNG', worldfile='NO')
            os.replace(png, part)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
        png.unlink(missing_ok=True)
