"""Images that stay in their file and are read window by window."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from mmengine.logging import print_log
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.env import set_gdal_config
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.windows import Window
from torch import Tensor

# GDAL keeps decoded blocks, by default in 5 % of the machine's memory: more than a patch row needs.
if 'GDAL_CACHEMAX' not in os.environ:
    set_gdal_config('GDAL_CACHEMAX', 128)  # [MB]

#: Rows of a strip above which reading a window from a file that is not tiled gets slow.
LARGE = 4096
#: Files that a warning has been given about.
_ADVISED: set[str] = set()


class RasterImage:
    """A raster file as an image (C, H, W) that can be sliced like a tensor.

    GDAL reads the file, so that tiled TIFF, BigTIFF, JPEG 2000, PNG and more work. Values are what
    the file holds: no channel is dropped or added, no depth reduced.

    Args:
        path: The file.
        bands: Numbers of the bands to use, from 0, in this order; None: all.
        flips: Whether it is seen upside down, and mirrored.
        label_map: Values to put in the place of others, as of masks.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or has no such bands.
    """

    def __init__(
        self,
        path: str | Path,
        bands: Sequence[int] | None = None,
        flips: tuple[bool, bool] = (False, False),
        label_map: Mapping[int, int] | None = None,
    ) -> None:
        self.path = str(path)
        self.label_map = dict(label_map or {})
        self.flips = flips
        self._opened: dict[int, Any] = {}
        if not Path(path).is_file():
            raise FileNotFoundError(f'no image at {Path(path).absolute()}')
        source = self._source()
        available = list(range(source.count))
        self.bands = available if bands is None else list(bands)
        if not set(self.bands) <= set(available):
            raise ValueError(
                f'{path} has {len(available)} band(s), numbers {available}; asked for {self.bands}'
            )
        self.shape = torch.Size((len(self.bands), source.height, source.width))
        self.profile: dict[str, Any] = dict(source.profile)

    @property
    def nbytes(self) -> int:
        """Memory that the pixels take [bytes]: none, they stay in the file."""
        return 0

    def __getitem__(self, key: tuple[slice, slice, slice]) -> Tensor:
        """A window, all bands: ``image[:, y0:y1, x0:x1]``.

        Raises:
            ValueError: If that part of the file cannot be read.
        """
        _, rows, cols = key
        y0, y1, _ = rows.indices(self.shape[1])
        x0, x1, _ = cols.indices(self.shape[2])
        pixels = self._read((x0, y0, max(x1, x0), max(y1, y0)))
        return torch.from_numpy(pixels.astype(_readable(pixels.dtype), copy=False))

    def view(
        self, region: tuple[int, int, int, int], size: tuple[int, int], nearest: bool = False
    ) -> NDArray[Any]:
        """A region in another size. Overviews in the file are used.

        Args:
            region: Left, top, right, bottom [px].
            size: Height h and width w to give [px].
            nearest: Give pixels as they are, as labels need it, and not the means of those that
                they stand for.

        Returns:
            (h, w, C).

        Raises:
            ValueError: If that part of the file cannot be read.
        """
        how = Resampling.nearest if nearest else Resampling.average
        return self._read(region, out_shape=(len(self.bands), *size), resampling=how).transpose(
            1, 2, 0
        )

    def _read(self, region: tuple[int, int, int, int], **resizing: Any) -> NDArray[Any]:
        x0, y0, x1, y1 = region
        if self.flips[0]:
            y0, y1 = self.shape[1] - y1, self.shape[1] - y0
        if self.flips[1]:
            x0, x1 = self.shape[2] - x1, self.shape[2] - x0
        try:
            pixels: NDArray[Any] = self._source().read(
                [band + 1 for band in self.bands],
                window=Window(x0, y0, x1 - x0, y1 - y0),
                **resizing,
            )
        except RasterioIOError as error:
            raise ValueError(
                f'{self.path} cannot be read at rows {y0} to {y1}, columns {x0} to {x1} ({error}; '
                f'{error.__cause__}): the file is truncated or damaged, fetch it again'
            ) from error
        steps = [-1 if flip else 1 for flip in self.flips]
        pixels = pixels[:, :: steps[0], :: steps[1]].copy()
        for pixels_of, value in [(pixels == old, new) for old, new in self.label_map.items()]:
            pixels[pixels_of] = value
        return pixels

    def advise_tiling(self) -> None:
        """Warn, once for a file, if reading it window by window is slow."""
        rows, cols = self._source().block_shapes[0]
        if cols >= self._source().width > LARGE and self.path not in _ADVISED:
            _ADVISED.add(self.path)
            print_log(
                f'{self.path} is not tiled (blocks of {cols} x {rows} px): each patch reads whole '
                'rows, which is slow. `gdal_translate -co TILED=YES -co COMPRESS=DEFLATE '
                f'{self.path} tiled.tif` or `rio convert --co TILED=YES {self.path} tiled.tif` '
                'makes a tiled copy',
                logger='current',
                level=logging.WARNING,
            )

    def __getstate__(self) -> dict[str, Any]:
        """Open files do not travel to other processes."""
        return {**self.__dict__, '_opened': {}}

    def _source(self) -> Any:
        """The open file of this process; GDAL's handles must not be shared after a fork."""
        process = os.getpid()
        if process not in self._opened:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter('ignore', NotGeoreferencedWarning)
                    self._opened = {process: rasterio.open(self.path)}
            except RasterioIOError as error:
                raise ValueError(f'{self.path} is no image that GDAL can read: {error}') from error
        return self._opened[process]


def _readable(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that torch computes with and that holds all values of another one."""
    larger = {'uint16': 'int32', 'uint32': 'int64', 'uint64': 'float64'}
    return np.dtype(larger.get(dtype.name, dtype.name))
