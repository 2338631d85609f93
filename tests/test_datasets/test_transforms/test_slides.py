"""Slides: read in a size of choice, or left in their file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
import torch
from rasterio.enums import Resampling

from mmpatch.datasets import LoadSlide, PackRasterSlide
from mmpatch.testing.tiny_classifier import build_classifier


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    """300 x 200 px with two smaller levels; dark in its left half."""
    path = tmp_path / 'slide.tiff'
    pixels = np.full((3, 200, 300), 240, dtype=np.uint8)
    pixels[:, :, :150] = np.random.default_rng(0).integers(0, 100, (3, 200, 150))
    settings = dict(driver='GTiff', height=200, width=300, count=3, dtype='uint8')
    with rasterio.open(path, 'w', **settings, tiled=True, blockxsize=64, blockysize=64) as target:
        target.write(pixels)
        target.build_overviews([2, 4], Resampling.average)
    return path


def test_a_slide_is_centred_on_white(slide: Path) -> None:
    results = LoadSlide(size=90).transform(dict(img_path=str(slide)))
    image = results['img']
    assert image.shape == (90, 90, 3) and image.dtype == np.uint8
    assert results['ori_shape'] == (200, 300) and results['img_shape'] == (90, 90)
    assert (image[:15] == 255).all() and (image[75:] == 255).all()
    assert 30 < image[15:75, :44].mean() < 70 and (image[15:75, 46:] == 240).all()


def test_colours_come_as_of_every_other_reader(slide: Path) -> None:
    """Blue, green, red, which the data preprocessors of the configs turn round."""
    with rasterio.open(slide, 'r+') as target:
        for band, value in ((1, 10), (2, 20), (3, 30)):
            target.write(np.full((200, 300), value, dtype=np.uint8), band)
        target.build_overviews([2, 4], Resampling.average)
    for given in (dict(img_path=str(slide)), dict(img=cv2.imread(str(slide)))):
        image = LoadSlide(size=90).transform(given)['img']
        assert image.shape == (90, 90, 3) and image[45, 45].tolist() == [30, 20, 10]
        assert image[10, 45].tolist() == [255] * 3


@pytest.mark.parametrize('shape', [(200, 300, 3), (300, 200)])
def test_an_image_that_an_inferencer_has_read(shape: tuple[int, ...]) -> None:
    pixels = np.full(shape, 77, dtype=np.uint8)
    results = LoadSlide(size=30).transform(dict(img=pixels))
    assert results['ori_shape'] == shape[:2] and results['img_shape'] == (30, 30)
    assert (results['img'] == 77).sum() == 30 * 20 * (3 if len(shape) == 3 else 1)


def test_what_is_no_slide(slide: Path) -> None:
    with pytest.raises(ValueError, match='size must be at least 1 px'):
        LoadSlide(size=0)
    with pytest.raises(FileNotFoundError, match='no image at'):
        LoadSlide(size=64).transform(dict(img_path='nowhere.tiff'))
    slide.write_bytes(slide.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r'slide.tiff'):
        LoadSlide(size=64).transform(dict(img_path=str(slide)))
    skipping = LoadSlide(size=64, on_error='skip')
    assert skipping.transform(dict(img_path=str(slide))) is None and skipping.skipped == 1


def test_a_slide_in_its_file_is_classified_as_in_memory(slide: Path) -> None:
    packed = PackRasterSlide().transform(dict(img_path=str(slide), gt_label=2))
    assert packed['data_samples'].gt_label.tolist() == [2]
    whole = packed['inputs'][:, :, :]
    model = build_classifier(background=dict(value=240, tolerance=10), double=False).eval()
    assert torch.equal(model([packed['inputs']]), model([whole]))
    batch = model.cut_images([packed['inputs']])
    assert batch.places.tolist() == [0, 1, 2, 5, 6, 7, 10, 11, 12, 15, 16, 17]
    model.train()
    data = dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']])
    data = model.data_preprocessor(data, True)
    losses = [
        model.loss([pixels], data['data_samples'])['loss'] for pixels in (*data['inputs'], whole)
    ]
    assert losses[0] == losses[1] and losses[0] > 0
