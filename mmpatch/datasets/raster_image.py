"""Images that stay in their file and are read window by window."""

from __future__ import annotations

import logging
import math
import os
import re
import threading
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
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
#: The mean of a band is taken from at most SAMPLES x SAMPLES windows of SAMPLE_SIDE px, spread over the
#: image: of images up to 2048 px that is every pixel, and larger ones are not read twice.
SAMPLES, SAMPLE_SIDE = 8, 256
#: The label that mmseg ignores.
IGNORED = 255
#: What has been logged about which file, as every message comes once.
_LOGGED: set[tuple[str, str]] = set()


class RasterImage:
    """A raster file as an image (C, H, W) that can be sliced like a tensor.

    GDAL reads the file, so that tiled TIFF, BigTIFF, JPEG 2000, PNG and more work. No channel is
    dropped or added, and no depth is reduced.

    NaN, infinity, and the value that the file declares as nodata mark pixels without data. A single one
    would spoil every prediction of the image, as the global patch averages over it. Such pixels are
    therefore filled when they are read, each band on its own.

    Args:
        path: The file, or a name that only GDAL understands, such as ``/vsizip/scenes.zip/a.tif``.
        bands: Numbers of the bands to use, from 0, in this order; None: all.
        flips: Whether the image is seen upside down, and mirrored.
        label_map: Values to put in the place of others, in masks.
        reduce_zero_label: Whether label 0 becomes 255, which is ignored, and every other label one
            less, in masks; mmseg does this before it maps labels.
        fill: Value of pixels without data. ``'mean'`` takes the mean of the band's other pixels,
            which is close to 0 after normalisation (large files are sampled for it). None leaves
            pixels as they are, as masks need it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read, has no such bands, or ``fill`` is none of these or
            no value of the file's type.
    """

    def __init__(
        self,
        path: str | Path,
        bands: Sequence[int] | None = None,
        flips: tuple[bool, bool] = (False, False),
        label_map: Mapping[int, int] | None = None,
        reduce_zero_label: bool = False,
        fill: float | str | None = 'mean',
    ) -> None:
        if isinstance(fill, str) and fill != 'mean':
            raise ValueError(f"fill={fill!r}: expected a number, 'mean', or None")
        self.path = str(path)
        self.label_map = dict(label_map or {})
        self.reduce_zero_label = reduce_zero_label
        self.flips = flips
        self.fill = fill
        self._opened: dict[int, tuple[Any, threading.Lock]] = {}
        if not (is_gdal_name(self.path) or Path(path).is_file()):
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
        types = [source.dtypes[band] for band in self.bands]
        number = None if isinstance(fill, str) else fill
        if number is not None and any(_as_type(number, t) is None for t in types):
            raise ValueError(f'fill={fill}: {path} holds {types[0]}, which has no such value')
        self._nodata = [_as_type(source.nodatavals[b], t) for b, t in zip(self.bands, types)]
        floating = any(np.dtype(t).kind == 'f' for t in types)
        #: Whether pixels without data are possible at all.
        self.may_lack_data = floating or any(value is not None for value in self._nodata)

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
        pixels = self._filled(self._read((x0, y0, max(x1, x0), max(y1, y0))))
        return torch.from_numpy(pixels.astype(_readable(pixels.dtype), copy=False))

    def view(
        self, region: tuple[int, int, int, int], size: tuple[int, int], nearest: bool = False
    ) -> NDArray[Any]:
        """A region in another size. Overviews in the file are used.

        Args:
            region: Left, top, right, bottom [px].
            size: Height h and width w to give [px].
            nearest: Pick pixels as they are, as labels need it, instead of averaging.

        Returns:
            (h, w, C).

        Raises:
            ValueError: If that part of the file cannot be read.
        """
        how = Resampling.nearest if nearest else Resampling.average
        pixels = self._read(region, out_shape=(len(self.bands), *size), resampling=how)
        return self._filled(pixels).transpose(1, 2, 0)

    def lacks_data(self, region: tuple[int, int, int, int]) -> NDArray[np.bool_]:
        """Say which pixels of a region have no data in any band.

        Args:
            region: Left, top, right, bottom [px].

        Returns:
            (h, w) bool.

        Raises:
            ValueError: If that part of the file cannot be read.
        """
        if not self.may_lack_data:
            return np.zeros((region[3] - region[1], region[2] - region[0]), dtype=np.bool_)
        return np.logical_and.reduce(self._lacking(self._read(region)))

    def _read(self, region: tuple[int, int, int, int], **resizing: Any) -> NDArray[Any]:
        """Pixels (C, h, w) of a region in the file's own values, flipped."""
        x0, y0, x1, y1 = region
        if self.flips[0]:
            y0, y1 = self.shape[1] - y1, self.shape[1] - y0
        if self.flips[1]:
            x0, x1 = self.shape[2] - x1, self.shape[2] - x0
        pixels = self._read_file((x0, y0, x1, y1), **resizing)
        steps = [-1 if flip else 1 for flip in self.flips]
        return self._relabelled(pixels[:, :: steps[0], :: steps[1]].copy())

    def _read_file(self, region: tuple[int, int, int, int], **resizing: Any) -> NDArray[Any]:
        x0, y0, x1, y1 = region
        try:
            source, turn = self._opened_here()
            with turn:
                pixels: NDArray[Any] = source.read(
                    [band + 1 for band in self.bands],
                    window=Window(x0, y0, x1 - x0, y1 - y0),
                    **resizing,
                )
        except RasterioIOError as error:
            raise ValueError(
                f'{self.path} cannot be read at rows {y0} to {y1}, columns {x0} to {x1} ({error}; '
                f'{error.__cause__}): the file is truncated or damaged, fetch it again'
            ) from error
        return pixels

    def _relabelled(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Labels as the data set numbers them, in the order of mmseg's LoadAnnotations."""
        if self.reduce_zero_label:
            ignored = (pixels == 0) | (pixels == IGNORED)
            pixels = np.where(ignored, IGNORED, pixels - 1).astype(pixels.dtype)
        for pixels_of, value in [(pixels == old, new) for old, new in self.label_map.items()]:
            pixels[pixels_of] = value
        return pixels

    def _lacking(self, pixels: NDArray[Any]) -> NDArray[np.bool_]:
        """Which pixels (C, h, w) hold no data, band by band."""
        lacking: NDArray[np.bool_] = ~np.isfinite(pixels)
        for band, plane, nodata in zip(lacking, pixels, self._nodata):
            if nodata is not None:
                band |= plane == nodata
        return lacking

    def _filled(self, pixels: NDArray[Any]) -> NDArray[Any]:
        if self.fill is None or not self.may_lack_data:
            return pixels
        lacking = self._lacking(pixels)
        if not lacking.any():
            return pixels
        values = self._fill_values.astype(pixels.dtype)
        _log_once(
            self.path,
            'has pixels without data (the nodata value of the file, NaN, or infinity). They are '
            f'filled with {values.tolist()}, one value for each band',
            logging.INFO,
        )
        return np.where(lacking, values[:, None, None], pixels)

    @cached_property
    def _fill_values(self) -> NDArray[np.float64]:
        """What pixels without data become, one value for each band."""
        if not isinstance(self.fill, str):
            return np.full(len(self.bands), self.fill, dtype=np.float64)
        total, count = np.zeros(len(self.bands)), np.zeros(len(self.bands))
        for top in _spread(self.shape[1]):
            for left in _spread(self.shape[2]):
                bottom = min(top + SAMPLE_SIDE, self.shape[1])
                right = min(left + SAMPLE_SIDE, self.shape[2])
                pixels = self._read_file((left, top, right, bottom))
                lacking = self._lacking(pixels)
                total += np.where(lacking, 0, pixels).sum(axis=(1, 2), dtype=np.float64)
                count += (~lacking).sum(axis=(1, 2))
        means: NDArray[np.float64] = total / np.maximum(count, 1)  # 0 where a band has no data
        return means if np.dtype(self.profile['dtype']).kind == 'f' else means.round()

    def advise_tiling(self) -> None:
        """Warn, once for a file, if reading it window by window is slow."""
        rows, cols = self._source().block_shapes[0]
        if cols >= self._source().width > LARGE:
            _log_once(
                self.path,
                f'is not tiled (blocks of {cols} x {rows} px): each patch reads whole rows, which '
                'is slow. `gdal_translate -co TILED=YES -co COMPRESS=DEFLATE '
                f'{self.path} tiled.tif` or `rio convert --co TILED=YES {self.path} tiled.tif` '
                'makes a tiled copy',
                logging.WARNING,
            )

    def __getstate__(self) -> dict[str, Any]:
        """Open files do not travel to other processes."""
        return {**self.__dict__, '_opened': {}}

    def _source(self) -> Any:
        """The open file of this process."""
        return self._opened_here()[0]

    def _opened_here(self) -> tuple[Any, threading.Lock]:
        """The open file of this process, and a lock for its readers, as patches are read ahead in a thread.

        GDAL's handles must neither be shared after a fork nor be used by several threads at once.
        """
        process = os.getpid()
        if process not in self._opened:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter('ignore', NotGeoreferencedWarning)
                    self._opened = {process: (rasterio.open(self.path), threading.Lock())}
            except RasterioIOError as error:
                raise ValueError(f'{self.path} is no image that GDAL can read: {error}') from error
        return self._opened[process]


def is_gdal_name(path: str) -> bool:
    """Whether a path is no file but a name that GDAL understands: ``/vsi...``, ``NETCDF:...``, an address."""
    return path.startswith('/vsi') or re.match(r'\w{2,}:', path) is not None


def _log_once(path: str, text: str, level: int) -> None:
    if (path, text) not in _LOGGED:
        _LOGGED.add((path, text))
        print_log(f'{path} {text}', logger='current', level=level)


def _spread(length: int) -> NDArray[np.int64]:
    """Where windows of SAMPLE_SIDE px start, at most SAMPLES of them, evenly over a length [px]."""
    starts = np.arange(0, length, SAMPLE_SIDE)
    if len(starts) <= SAMPLES:
        return starts
    return starts[np.linspace(0, len(starts) - 1, SAMPLES).round().astype(int)]


def _as_type(nodata: float | None, dtype: str) -> Any:
    """The declared nodata value in the type of the pixels; None if no pixel can have it."""
    if nodata is None:
        return None
    if np.dtype(dtype).kind == 'f':
        with np.errstate(over='ignore'):
            return np.dtype(dtype).type(nodata)
    limits = np.iinfo(dtype)
    whole = math.isfinite(nodata) and nodata == int(nodata)
    return int(nodata) if whole and limits.min <= nodata <= limits.max else None


def _readable(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that torch computes with and that holds all values of another one."""
    larger = {'uint16': 'int32', 'uint32': 'int64', 'uint64': 'float64'}
    return np.dtype(larger.get(dtype.name, dtype.name))
