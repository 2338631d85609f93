"""Missing folders, images and masks are errors when the data set is made."""

from __future__ import annotations

from pathlib import Path

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


def dataset(root: Path) -> PatchSegDataset:
    return PatchSegDataset(
        data_root=str(root),
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        img_suffix='.png',
        metainfo=dict(classes=('background', 'thing')),
        how_to_get='Ask for it',
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
