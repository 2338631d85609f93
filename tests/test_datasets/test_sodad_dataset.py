"""SODA-D's raw layout, and its regions to ignore."""

import json
from pathlib import Path
from typing import Any

import pytest

from mmpatch.datasets import SODADDataset
from mmpatch.testing import make_soda_d_tree

PIPELINE = [
    dict(type='mmpatch.LoadPatchImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]


def _build(root: Path) -> SODADDataset:
    return SODADDataset(
        data_root=str(root / 'rawData'),
        ann_file='Annotations/train.json',
        data_prefix=dict(img='Images'),
        pipeline=PIPELINE,
    )


@pytest.mark.parametrize('named', [True, False])
def test_ignore_regions_reach_the_sample(tmp_path: Path, named: bool) -> None:
    """Whether or not the file names category 10, its boxes are ignored instances."""
    make_soda_d_tree(tmp_path, objects=4, ignore_regions=2)
    path = tmp_path / 'rawData' / 'Annotations' / 'train.json'
    coco: dict[str, Any] = json.loads(path.read_text())
    if not named:
        coco['categories'] = coco['categories'][:9]
        path.write_text(json.dumps(coco))
    sample = _build(tmp_path)[0]['data_samples']
    mine = [a for a in coco['annotations'] if a['image_id'] == 1]
    regions = [
        [x, y, x + w, y + h] for x, y, w, h in (a['bbox'] for a in mine if a['category_id'] == 10)
    ]
    assert sample.ignored_instances.bboxes.tensor.tolist() == regions
    labels = [a['category_id'] - 1 for a in mine if a['category_id'] != 10]
    assert sample.gt_instances.labels.tolist() == labels


def test_classes_and_palette_agree() -> None:
    assert len(SODADDataset.METAINFO['classes']) == 9
    assert len(set(SODADDataset.METAINFO['palette'])) == 9


def test_missing_set_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='SODA-D is to be downloaded by hand') as caught:
        _build(tmp_path)
    assert str((tmp_path / 'rawData/Annotations/train.json').resolve()) in str(caught.value)
    assert 'tools/dataset_converters/soda_d.py' in str(caught.value)
