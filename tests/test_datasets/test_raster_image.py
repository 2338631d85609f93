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


def _messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is logged about files from now on."""
    messages: list[str] = []
    monkeypatch.setattr(raster_image, 'print_log', lambda text, **_: messages.append(text))
    return messages


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
        size=(32, 2),
        mode='bilinear',
        antialias=True,
    )
    (found,) = batches[0].read_global().float()
    assert (found[:, :, :2] - whole[0]).abs().max() <= (1.5 if dtype == 'uint8' else 1e-2)


def test_a_file_that_is_not_tiled_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raster_image, 'LARGE', 16)
    messages = _messages(monkeypatch)
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


GAPS = dict(
    nan=('float32', np.nan, None),
    infinity=('float32', -np.inf, None),
    huge=('float32', np.finfo('float32').min, float(np.finfo('float32').min)),
    short=('int16', -9999, -9999),
    unsigned=('uint16', 0, 0),
)


def _with_gaps(path: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Write 2 bands of 60 x 90 px; give their values and where the first band has no data."""
    dtype, gap, nodata = GAPS[name]
    pixels = np.random.default_rng(1).integers(900, 1100, (2, 60, 90)).astype(dtype)
    lacking = np.zeros((60, 90), dtype=bool)
    lacking[10:25, 40:] = True
    pixels[0, lacking] = gap
    pixels[1, 10:12, 40:] = gap
    write(path, pixels, nodata=nodata, **TILED)
    return pixels, lacking


@pytest.mark.parametrize('name', list(GAPS))
def test_pixels_without_data_take_the_mean_of_the_others(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = _messages(monkeypatch)
    pixels, lacking = _with_gaps(tmp_path / 'a.tif', name)
    raster = RasterImage(tmp_path / 'a.tif')
    found = raster[:, :, :].numpy()
    mean = pixels[0, ~lacking].mean(dtype='float64')
    assert np.abs(found[0, lacking] - mean).max() <= (1e-3 if pixels.dtype.kind == 'f' else 0.5)
    assert np.array_equal(found[0, ~lacking], pixels[0, ~lacking])
    assert np.array_equal(found[:, 30:, 20:70], pixels[:, 30:, 20:70])
    for reading in (found, raster.view((0, 0, 90, 60), (15, 20)).transpose(2, 0, 1)):
        assert reading.min() >= 900 and reading.max() < 1100
    flipped = RasterImage(raster.path, flips=(True, True))
    assert np.array_equal(flipped[:, :, :].numpy()[:, ::-1, ::-1], found)
    assert len(messages) == 1 and 'a.tif has pixels without data' in messages[0]
    none = raster.lacks_data((35, 8, 90, 30))
    assert none.shape == (22, 55) and np.argwhere(none).tolist() == [
        [y, x] for y in (2, 3) for x in range(5, 55)
    ]


@pytest.mark.parametrize('name', list(GAPS))
def test_the_global_patch_does_not_spread_what_is_no_data(tmp_path: Path, name: str) -> None:
    pixels, lacking = _with_gaps(tmp_path / 'a.tif', name)
    found = PatchBatch([RasterImage(tmp_path / 'a.tif')], 32).read_global()
    filled = pixels.astype('float32')
    filled[0, lacking] = pixels[0, ~lacking].mean()
    filled[1, 10:12, 40:] = pixels[1, 12:].mean()
    expected = PatchBatch([torch.from_numpy(filled)], 32).read_global()
    assert (found - expected).abs().max() < 2


def test_the_mean_of_a_large_image_comes_from_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raster_image, 'SAMPLES', 2)
    monkeypatch.setattr(raster_image, 'SAMPLE_SIDE', 16)
    pixels = np.full((1, 64, 64), np.nan, dtype='float32')
    pixels[0, 20:40, 20:40] = 7  # between the windows that are looked at
    pixels[0, 0, 0], pixels[0, 63, 63] = 10, 20
    raster = RasterImage(write(tmp_path / 'a.tif', pixels, **TILED))
    assert raster[:, 0:1, 1:2].item() == 15 and raster[:, 30:31, 30:31].item() == 7


def test_other_fills(tmp_path: Path) -> None:
    pixels, lacking = _with_gaps(tmp_path / 'a.tif', 'short')
    path = tmp_path / 'a.tif'
    assert (RasterImage(path, fill=-3)[:, :, :].numpy()[0, lacking] == -3).all()
    assert np.array_equal(RasterImage(path, fill=None)[:, :, :].numpy(), pixels)
    with pytest.raises(ValueError, match="fill='median': expected a number, 'mean', or None"):
        RasterImage(path, fill='median')
    with pytest.raises(ValueError, match=r'fill=0.5: .*a.tif holds int16, which has no such value'):
        RasterImage(path, fill=0.5)
    empty = write(tmp_path / 'empty.tif', np.full((1, 20, 20), np.nan, dtype='float32'))
    assert (RasterImage(empty)[:, :, :] == 0).all()


@pytest.mark.parametrize('dtype', ['uint8', 'int16'])
def test_labels_are_reduced_and_mapped_in_the_order_of_mmseg(tmp_path: Path, dtype: str) -> None:
    labels = np.array([[[0, 1, 2, 3, 255]]], dtype=dtype)
    path = write(tmp_path / 'a.tif', labels, nodata=2)
    mask = RasterImage(path, label_map={0: 1, 1: 0}, reduce_zero_label=True, fill=None)
    assert mask[:, :, :].flatten().tolist() == [255, 1, 0, 2, 255]
