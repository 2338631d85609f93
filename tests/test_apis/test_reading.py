"""Bands and filling, as the test pipeline of a config has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import TRANSFORMS
from PIL import Image

from mmpatch.apis.reading import reading_of
from mmpatch.datasets.raster_image import RasterImage


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'L'])
@pytest.mark.parametrize(
    'reader',
    [
        dict(type='LoadImageFromFile', _scope_='mmpatch'),
        dict(type='LoadImageFromFile', color_type='unchanged'),
        dict(type='mmpatch.PackRasterScene', bands=[0], fill=3.0),
    ],
)
def test_files_are_read_as_by_the_test_pipeline(
    tmp_path: Path, mode: str, reader: dict[str, Any]
) -> None:
    pixels = np.random.default_rng(0).integers(1, 255, (20, 30, 4), dtype=np.uint8)
    path = tmp_path / 'a.png'
    Image.fromarray(pixels, 'RGBA').convert(mode).save(path)
    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=[reader]))))
    step = TRANSFORMS.build(dict(reader))(dict(img_path=str(path)))
    bands, fill = reading_of(cfg, RasterImage(path).shape[0])
    found = RasterImage(path, bands, fill=fill)[:, :, :].numpy()
    if 'inputs' in step:
        assert np.array_equal(found, step['inputs'][:, :, :]) and fill == 3
    else:
        expected = step['img'] if step['img'].ndim == 3 else step['img'][..., None]
        assert np.array_equal(found, expected.transpose(2, 0, 1))


def test_without_a_pipeline_that_is_known() -> None:
    assert reading_of(Config(dict()), 3) == (None, 'mean')
    pipeline = [dict(type='LoadMultipleRSImageFromFile')]
    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=pipeline))))
    assert reading_of(cfg, 3) == (None, 'mean')
