"""Windows of files: values as they are, clear errors, no handles shared between processes."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch

from mmpatch.datasets import raster_image
from mmpatch.datasets.raster_image import RasterImage
from mmpatch.patching import PatchBatch


def write(path: Path, pixels: np.ndarray, **settings: Any) -> Path:
    count, height, width = pixels.shape
    with rasterio.open(
        path,
        'w',
        driver='GTiff',
        count=count,
        height=height,
        width=width,
        dtype=pixels.dtype,
        **settings,
    ) as target:
        target.write(pixels)
    return path


TILED = dict(tiled=True, blockxsize=16, blockysize=16)


@pytest.mark.parametrize('dtype', ['uint8', 'uint16', 'int16', 'float32'])
@pytest.mark.parametrize('bands', [1, 3, 5])
def test_values_are_those_of_the_file(tmp_path: Path, dtype: str, bands: int) -> None:
    pixels = (np.random.default_rng(0).random((bands, 50, 70)) * 60_000).astype(dtype)
    raster = RasterImage(write(tmp_path / 'a.tif', pixels, **TILED))
    assert raster.shape == (bands, 50, 70)
    assert np.array_equal(raster[:, 10:30, 60:90].numpy(), pixels[:, 10:30, 60:])
    chosen = RasterImage(raster.path, bands=[bands - 1])
    assert np.array_equal(chosen[:, :, :].numpy(), pixels[-1:])
    again = pickle.loads(pickle.dumps(raster))
    assert torch.equal(again[:, :5, :5], raster[:, :5, :5])


@pytest.mark.parametrize('dtype', ['uint8', 'uint16'])
def test_patches_and_thumbnail_are_those_of_the_tensor(tmp_path: Path, dtype: str) -> None:
    pixels = (np.random.default_rng(0).random((3, 1100, 70)) * 255).astype(dtype)
    raster = RasterImage(write(tmp_path / 'a.tif', pixels, **TILED))
    batches = [PatchBatch([x], 32) for x in (raster, torch.from_numpy(pixels))]
    indices = torch.tensor([0, 5, batches[0].num_patches - 1])
    assert torch.equal(*(batch.read(indices).float() for batch in batches))
    assert torch.equal(*(batch.read_global() for batch in batches))
    whole = torch.nn.functional.interpolate(
        torch.from_numpy(pixels.astype('float32'))[None],
        size=(32, 32),
        mode='bilinear',
        antialias=True,
    )
    assert (batches[0].read_global().float() - whole).abs().max() <= (
        1.5 if dtype == 'uint8' else 1e-2
    )


def test_a_file_that_is_not_tiled_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(raster_image, 'LARGE', 16)
    messages: list[str] = []
    monkeypatch.setattr(raster_image, 'print_log', lambda text, **_: messages.append(text))
    raster = RasterImage(write(tmp_path / 'a.tif', np.zeros((1, 20, 40), dtype='uint8')))
    raster.advise_tiling()
    raster.advise_tiling()  # once is enough
    assert len(messages) == 1 and 'is not tiled (blocks of 40 x 20 px)' in messages[0]
    assert raster[:, :, :].shape == (1, 20, 40)


def test_damaged_and_missing_files(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (1, 64, 64), dtype=np.uint8)
    path = write(tmp_path / 'a.tif', noise, **TILED, compress='deflate')
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r'a.tif (cannot be read at|is no image that GDAL can)'):
        RasterImage(path)[:, :, :]
    path.write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'a.tif is no image that GDAL can read'):
        RasterImage(path)
    with pytest.raises(FileNotFoundError, match=r'no image at .*b.tif'):
        RasterImage(tmp_path / 'b.tif')
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r'has 1 band\(s\), numbers \[0\]; asked for \[0, 3\]'):
        RasterImage(path, bands=[0, 3])


def test_views(tmp_path: Path) -> None:
    pixels = np.arange(2 * 40 * 60).reshape(2, 40, 60).astype('uint16')
    raster = RasterImage(write(tmp_path / 'a.tif', pixels, **TILED))
    region = (8, 4, 28, 24)
    part = pixels[:, 4:24, 8:28]
    means = part.reshape(2, 10, 2, 10, 2).mean((2, 4)).transpose(1, 2, 0)
    assert np.abs(raster.view(region, (10, 10)) - means).max() <= 1
    found = raster.view(region, (10, 10), nearest=True)
    assert np.isin(found, part).all() and found.shape == (10, 10, 2)
    flipped = RasterImage(raster.path, flips=(True, True))
    assert np.array_equal(flipped.view((0, 0, 60, 40), (40, 60))[::-1, ::-1, 0], pixels[0])
