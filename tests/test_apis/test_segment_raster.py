"""Segmentation from file to file: as in memory, resumed, and what can go wrong."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from mmpatch.apis import draw_overlay, parts, segment_raster
from mmpatch.apis.parts import Parts
from mmpatch.datasets.raster_image import RasterImage
from mmpatch.testing.tiny_detector import image
from mmpatch.testing.tiny_segmentor import DEEPLABV3, UNET, build_segmentor, segmentor_cfg
from mmpatch.utils.files import write_atomic

TRANSFORM = Affine(0.5, 0, 1000, 0, -0.5, 2000)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = tmp_path / 'scene.tif'
    pixels = image(300, 170).numpy()
    settings = dict(tiled=True, blockxsize=64, blockysize=64, crs='EPSG:32612', transform=TRANSFORM)
    with rasterio.open(
        path, 'w', driver='GTiff', height=300, width=170, count=3, dtype='uint8', **settings
    ) as target:
        target.write(pixels)
    return path


PREPROCESSOR = segmentor_cfg()['data_preprocessor']


def model_of(base: dict[str, Any] = UNET, classes: int = 3, **kwargs: Any) -> Any:
    return build_segmentor(base=base, classes=classes, double=False, chunk_size=2, **kwargs).eval()


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        found: np.ndarray = source.read(1)
        return found


@pytest.mark.parametrize(('base', 'classes'), [(UNET, 1), (DEEPLABV3, 3)])
def test_as_in_memory(
    scene: Path, base: dict[str, Any], classes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = model_of(base, classes, halo=16), scene.with_name('labels.tif')
    segment_raster(model, RasterImage(scene), out, [(0, 0, 0), (255, 0, 0), (0, 0, 9)])
    expected = model.predict([image(300, 170)])[0].pred_sem_seg.data[0]
    assert np.array_equal(read(out), expected.numpy())
    with rasterio.open(out) as found:
        assert found.crs.to_epsg() == 32612 and found.transform == TRANSFORM
        assert found.is_tiled and found.colormap(1)[1] == (255, 0, 0, 255)
    shown = capsys.readouterr().out
    assert shown.startswith('Segmenting scene.tif') and '100%' in shown
    assert sorted(p.name for p in scene.parent.iterdir()) == ['labels.tif', 'scene.tif']


@pytest.mark.parametrize('normalised', [True, False])
@pytest.mark.parametrize('fusion', ['add', 'concat'])
@pytest.mark.parametrize('latent_stride', [1, 8])
@pytest.mark.parametrize('blend', [True, False])
def test_as_in_memory_with_every_setting(
    scene: Path, blend: bool, latent_stride: int, fusion: str, normalised: bool
) -> None:
    preprocessor = PREPROCESSOR if normalised else dict(type='mmpatch.PatchSegDataPreprocessor')
    model = model_of(
        halo=16,
        blend=blend,
        latent_stride=latent_stride,
        aggregator=dict(fusion=fusion),
        data_preprocessor=preprocessor,
        seed=3,
    )
    out = scene.with_name('labels.tif')
    segment_raster(model, RasterImage(scene), out)
    expected = model.predict([image(300, 170)])[0].pred_sem_seg.data[0]
    assert np.array_equal(read(out), expected.numpy()) and len(np.unique(expected)) > 1


@pytest.mark.parametrize('suffix', ['tif', 'png'])
def test_pixels_without_data_get_no_label(scene: Path, suffix: str) -> None:
    with rasterio.open(scene, 'r+') as target:
        pixels = image(300, 170).numpy()
        pixels[pixels == 0] = 1
        pixels[:, 60:70, 100:] = 0
        pixels[0, 5, 5] = 0
        target.write(pixels)
        target.nodata = 0
    out = scene.with_name(f'labels.{suffix}')
    segment_raster(model_of(), RasterImage(scene), out, [(1, 2, 3), (4, 5, 6), (7, 8, 9)])
    found = read(out)
    assert (found[60:70, 100:] == 255).all() and (found == 255).sum() == 700
    assert sorted(p.name for p in scene.parent.iterdir()) == [out.name, 'scene.tif']
    with rasterio.open(out) as labels:
        assert labels.nodata == 255
        assert labels.colormap(1)[2][:3] == (7, 8, 9) and labels.colormap(1)[255][3] == 0


def test_png_and_overlay(scene: Path) -> None:
    model, out = model_of(), scene.with_name('labels.png')
    palette = [(0, 0, 0), (255, 0, 0), (0, 0, 9)]
    segment_raster(model, RasterImage(scene), out, palette)
    expected = model.predict([image(300, 170)])[0].pred_sem_seg.data[0]
    stored = Image.open(out)
    assert stored.mode == 'P' and np.array_equal(np.array(stored), expected.numpy())
    assert stored.convert('RGB').getpixel((0, 0)) == palette[int(expected[0, 0])]
    assert sorted(p.name for p in scene.parent.iterdir()) == ['labels.png', 'scene.tif']
    meta = dict(classes=('a', 'b', 'c'), palette=palette)
    draw_overlay(RasterImage(scene), out, scene.with_name('overlay.png'), meta, side=150)
    page = np.array(Image.open(scene.with_name('overlay.png')))
    assert page.shape[0] > 3 * 150 and page.shape[1] >= 480  # the whole and two details


@pytest.mark.parametrize('base', [UNET, DEEPLABV3])
def test_an_interrupted_run_goes_on_and_ends_the_same(
    scene: Path, base: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, out = model_of(base), scene.with_name('labels.tif')
    segment_raster(model, RasterImage(scene), out)
    expected = read(out)
    out.unlink()
    original = Parts.save

    def save(parts: Parts, name: str | int, **arrays: Any) -> None:
        if name == 3:
            raise KeyboardInterrupt
        original(parts, name, **arrays)

    with monkeypatch.context() as patch:
        patch.setattr(Parts, 'save', save)
        with pytest.raises(KeyboardInterrupt):
            segment_raster(model, RasterImage(scene), out)
    encoded: list[int] = []
    encode = model.encode
    monkeypatch.setattr(model, 'encode', lambda b, i: (encoded.extend(i.tolist()), encode(b, i))[1])
    segment_raster(model, RasterImage(scene), out, show_progress=False)
    assert min(encoded) >= 3 and np.array_equal(read(out), expected)


def test_rows_of_another_model_or_image_are_refused(
    scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = scene.with_name('labels.tif')
    with monkeypatch.context() as patch:
        patch.setattr(parts, 'write_atomic', _full_disk)
        with pytest.raises(OSError, match='the disk is full: 0 of 5'):
            segment_raster(model_of(), RasterImage(scene), out)
    with pytest.raises(ValueError, match='interrupted run with another model: remove the folder'):
        segment_raster(model_of(seed=1), RasterImage(scene), out)


SETTINGS: dict[str, tuple[dict[str, Any], str]] = dict(
    normalisation=(
        dict(
            data_preprocessor=dict(
                type='mmpatch.PatchSegDataPreprocessor', mean=[0] * 3, std=[9] * 3
            )
        ),
        'model, data_preprocessor._channel_conversion',
    ),
    none=(
        dict(data_preprocessor=dict(type='mmpatch.PatchSegDataPreprocessor', bgr_to_rgb=True)),
        r'model, data_preprocessor._enable_normalize \(True, now False\)',
    ),
    channels=(
        dict(data_preprocessor=dict(PREPROCESSOR, bgr_to_rgb=False)),
        r'data_preprocessor._channel_conversion \(True, now False\)',
    ),
    blend=(dict(blend=True), r'blend \(False, now True\)'),
    stride=(dict(latent_stride=4), r'latent_stride \(None, now 4\)'),
    fusion=(dict(aggregator=dict(fusion='add'), global_patch=False), r'aggregator.fusion \('),
    halo=(dict(halo=32), r'halo \(16, now 32\)'),
)


@pytest.mark.parametrize('name', list(SETTINGS))
def test_rows_of_another_setting_are_refused(
    scene: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The weights are the same; the labels are not."""
    out, (options, message) = scene.with_name('labels.tif'), SETTINGS[name]
    options = {'halo': 16, **options}
    model, other = model_of(halo=16), model_of(**options)
    if name == 'fusion':
        model = model_of(halo=16, global_patch=False)
    with monkeypatch.context() as patch:
        patch.setattr(parts, 'write_atomic', _full_disk)
        with pytest.raises(OSError, match='the disk is full: 0 of 5'):
            segment_raster(model, RasterImage(scene), out)
    other.load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match=f'interrupted run with another {message}'):
        segment_raster(other, RasterImage(scene), out)
    with pytest.raises(ValueError, match=r"another fill \('mean', now 0\): remove the folder"):
        segment_raster(model, RasterImage(scene, fill=0), out)
    with pytest.raises(ValueError, match=r'another bands \(\[0, 1, 2\], now \[2, 1, 0\]\)'):
        segment_raster(model, RasterImage(scene, [2, 1, 0]), out)
    model.chunk_size = 1  # changes no label
    segment_raster(model, RasterImage(scene), out)


def _full_disk(path: Path, data: bytes) -> None:
    if path.suffix == '.json':
        write_atomic(path, data)
    else:
        raise OSError(errno.ENOSPC, 'No space left on device')
