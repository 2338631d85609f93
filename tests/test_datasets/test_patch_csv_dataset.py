"""Images listed in a CSV file, and what can be wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmpatch.datasets import PandaDataset, UltraMNISTDataset


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / 'images').mkdir()
    for name in ('a', 'b', 'c'):
        Image.fromarray(np.zeros((8, 6), dtype=np.uint8)).save(tmp_path / 'images' / f'{name}.png')
    (tmp_path / 'train.csv').write_text('image_id,data_provider,isup_grade\na,x,0\nb,x,5\nc,y,2\n')
    return tmp_path


def panda(root: Path, **kwargs: Any) -> PandaDataset:
    prefix = dict(img_path='images')
    settings = dict(ann_file='train.csv', data_root=str(root), data_prefix=prefix, suffix='.png')
    return PandaDataset(**{**settings, **kwargs})


def test_images_and_labels(root: Path) -> None:
    found = panda(root)
    assert [found[i]['gt_label'] for i in range(3)] == [0, 5, 2]
    assert found[1]['img_path'] == str(root / 'images' / 'b.png')
    assert found.metainfo['classes'] == ('0', '1', '2', '3', '4', '5')


def test_a_split(root: Path) -> None:
    (root / 'val.txt').write_text('c\na\n')
    assert [x['gt_label'] for x in panda(root, split_file='val.txt')] == [0, 2]
    (root / 'val.txt').write_text('c\nzz\n')
    with pytest.raises(ValueError, match=r'1 names of .*val.txt are not in .*the first is zz'):
        panda(root, split_file='val.txt')
    with pytest.raises(FileNotFoundError, match='no split file'):
        panda(root, split_file='none.txt')


def test_missing_images(root: Path) -> None:
    (root / 'images' / 'b.png').unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of the 3 images .*b.png.*missing='skip'"):
        panda(root)
    assert [x['gt_label'] for x in panda(root, missing='skip')] == [0, 2]


def test_other_columns(root: Path) -> None:
    (root / 'train.csv').write_text('id,grade\na,0\n')
    with pytest.raises(
        ValueError, match=r"columns \['id', 'grade'\], expected one of \['isup_grade'\]"
    ):
        panda(root)
    assert len(panda(root, label_columns=['grade'])) == 1


@pytest.mark.parametrize('label', ['6', '-1', 'x', ''])
def test_labels_that_are_no_class(root: Path, label: str) -> None:
    (root / 'train.csv').write_text(f'image_id,isup_grade\na,{label}\n')
    with pytest.raises(ValueError, match=rf"a in .* has the label '{label}', expected .* 0 to 5"):
        panda(root)


def test_missing_parts(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no CSV file at .*none.csv.*panda.py'):
        panda(root, ann_file='none.csv')
    with pytest.raises(FileNotFoundError, match='image folder not found'):
        panda(root, data_prefix=dict(img_path='nowhere'))
    with pytest.raises(ValueError, match="missing must be 'error' or 'skip'"):
        panda(root, missing='maybe')


def test_ultramnist(root: Path) -> None:
    (root / 'train.csv').write_text('id,digit_sum\na,27\n')
    found = UltraMNISTDataset(
        ann_file='train.csv',
        data_root=str(root),
        data_prefix=dict(img_path='images'),
        suffix='.png',
    )
    assert found[0]['gt_label'] == 27 and len(found.metainfo['classes']) == 28
