"""Missing folders, images and masks are errors when the data set is made."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmpatch.datasets import PatchSegDataset


def make(root: Path, names: tuple[str, ...] = ('a', 'b')) -> PatchSegDataset:
    for kind in ('images', 'masks'):
        (root / kind).mkdir(exist_ok=True)
    for name in names:
        Image.fromarray(np.zeros((4, 6), dtype=np.uint8)).save(root / 'images' / f'{name}.png')
    return dataset(root)


def dataset(root: Path, **kwargs: Any) -> PatchSegDataset:
    kwargs.setdefault('metainfo', dict(classes=('background', 'thing')))
    return PatchSegDataset(
        data_root=str(root),
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        img_suffix='.png',
        how_to_get='Ask for it',
        **kwargs,
    )


def test_missing_parts(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'image folder not found.*Ask for it'):
        dataset(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'2 of 2 images have no mask: .*a.png.*Ask for it'):
        make(tmp_path)
    for name in ('a', 'b'):
        Image.fromarray(np.zeros((4, 6), dtype=np.uint8)).save(tmp_path / 'masks' / f'{name}.png')
    assert len(dataset(tmp_path)) == 2
    for path in (tmp_path / 'images').iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r"no image in .* ends in '.png': set img_suffix"):
        dataset(tmp_path)


def masks(root: Path, *values: Any) -> None:
    """Two images with a mask each; of ``values``, rows from top to bottom."""
    with suppress(FileNotFoundError):
        make(root)
    for name, rows in zip(('a', 'b'), values):
        mask = np.repeat(np.array(rows, dtype=np.uint8)[:, None], 6, axis=1)
        Image.fromarray(mask).save(root / 'masks' / f'{name}.png')


def test_black_and_white_masks(tmp_path: Path) -> None:
    masks(tmp_path, [0, 0, 0, 0], [0, 255, 255, 0])
    with pytest.raises(ValueError, match=r'all 2 masks hold only \[0, 255\].*set foreground=255'):
        dataset(tmp_path)
    pipeline = [dict(type='mmseg.LoadAnnotations')]
    labels = dataset(tmp_path, foreground=255, pipeline=pipeline)[1]['gt_seg_map']
    assert np.array_equal(labels[:, 0], [0, 1, 1, 0])
    scenes = [dict(type='mmpatch.PackRasterScene')]
    sample = dataset(tmp_path, foreground=255, pipeline=scenes)[1]['data_samples']
    assert sample.gt_seg_raster[:, :, :][0, :, 0].tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize('rows', [[0, 0, 0, 0], [0, 255, 1, 0]])
def test_no_foreground_at_all_and_ignored_regions_are_fine(tmp_path: Path, rows: list[int]) -> None:
    masks(tmp_path, [0, 0, 0, 0], rows)
    assert len(dataset(tmp_path)) == 2


def test_coloured_masks(tmp_path: Path) -> None:
    masks(tmp_path, [[1, 2, 3]] * 4, [0] * 4)
    with pytest.raises(ValueError, match=r'a.png has 3 bands, expected one that holds numbers'):
        dataset(tmp_path)


@pytest.mark.parametrize('colours', [1, 3])
def test_a_palette_that_another_config_left(tmp_path: Path, colours: int) -> None:
    masks(tmp_path, [0, 1, 1, 0], [0, 1, 1, 0])
    meta = dict(classes=('background', 'thing'), palette=[(9, 9, 9)] * colours)
    with pytest.raises(ValueError, match=rf'has 2 classes, .* but a palette of {colours} colour'):
        dataset(tmp_path, metainfo=meta)
    chosen = dataset(tmp_path, metainfo={**meta, 'palette': None}).metainfo['palette']
    assert np.array(chosen).shape == (2, 3)
