"""Nothing of a COCO file is lost in silence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmpatch.datasets import PatchCocoDataset
from mmpatch.testing import make_coco_tree

PIPELINE = [
    dict(type='mmpatch.LoadPatchImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]


def _build(root: Path, **overrides: Any) -> PatchCocoDataset:
    arguments: dict[str, Any] = dict(
        data_root=str(root),
        ann_file='train.json',
        data_prefix=dict(img='images'),
        metainfo=dict(classes=('tree',)),
        pipeline=PIPELINE,
    )
    return PatchCocoDataset(**(arguments | overrides))


def _edit(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = root / 'train.json'
    coco = json.loads(path.read_text())
    change(coco)
    path.write_text(json.dumps(coco))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_coco_tree(tmp_path, image_size=(96, 64), num_images=2, objects=3)
    return tmp_path


def test_loads_images_and_boxes(root: Path) -> None:
    dataset = _build(root)
    assert len(dataset) == 2
    item = dataset[0]
    assert item['inputs'].shape == (3, 64, 96)
    truth = json.loads((root / 'train.json').read_text())['annotations']
    expected = [
        [x, y, x + w, y + h] for x, y, w, h in (a['bbox'] for a in truth if a['image_id'] == 1)
    ]
    assert item['data_samples'].gt_instances.bboxes.tensor.tolist() == expected
    assert item['data_samples'].gt_instances.labels.tolist() == [0, 0, 0]


def test_annotations_may_lack_area_iscrowd_and_segmentation(root: Path) -> None:
    def strip(coco: dict[str, Any]) -> None:
        for annotation in coco['annotations']:
            del annotation['area'], annotation['iscrowd']

    _edit(root, strip)
    assert len(_build(root)[0]['data_samples'].gt_instances) == 3


def test_tiny_boxes_and_ignored_ones_are_kept(root: Path) -> None:
    """mmdet leaves out boxes below 1 px and those marked ``ignore``."""

    def change(coco: dict[str, Any]) -> None:
        coco['annotations'][0]['bbox'] = [5, 5, 0.5, 0.5]
        coco['annotations'][1]['ignore'] = 1
        coco['annotations'][2]['iscrowd'] = 1

    _edit(root, change)
    sample = _build(root)[0]['data_samples']
    assert sample.gt_instances.bboxes.tensor.tolist() == [[5, 5, 5.5, 5.5]]
    assert len(sample.ignored_instances) == 2


def test_images_without_objects_are_kept_unless_filtered(root: Path) -> None:
    _edit(
        root,
        lambda coco: coco.update(
            annotations=[a for a in coco['annotations'] if a['image_id'] == 1]
        ),
    )
    assert len(_build(root)) == 2
    assert len(_build(root)[1]['data_samples'].gt_instances) == 0
    assert len(_build(root, filter_cfg=dict(filter_empty_gt=True))) == 1


def test_missing_annotation_file(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match='annotation file not found') as caught:
        _build(root, ann_file='val.json', how_to_get='Ask for it.')
    message = str(caught.value)
    assert str((root / 'val.json').resolve()) in message
    assert 'Ask for it. The bundled example' in message
    assert '`make demo`' in message and 'configs/patch_fcos_yellowstone.py' in message


def test_missing_image_folder(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match='image folder not found') as caught:
        _build(root, data_prefix=dict(img='pictures'))
    assert str((root / 'pictures').resolve()) in str(caught.value)


def test_data_prefix_without_img(root: Path) -> None:
    with pytest.raises(ValueError, match=r'expected data_prefix=dict\(img=FOLDER\)'):
        _build(root, data_prefix=dict(img_path='images'))


def test_broken_json(root: Path) -> None:
    (root / 'train.json').write_text('{"images": [')
    with pytest.raises(ValueError, match=r'train\.json is not valid JSON'):
        _build(root)


def test_no_images(root: Path) -> None:
    _edit(root, lambda coco: coco.update(images=[], annotations=[]))
    with pytest.raises(ValueError, match='lists no images'):
        _build(root)


def test_image_without_size(root: Path) -> None:
    _edit(root, lambda coco: coco['images'][1].pop('width'))
    with pytest.raises(ValueError, match=r"image 2 of .*train\.json has no \['width'\]"):
        _build(root)


def test_invalid_boxes_are_an_error_before_training(root: Path) -> None:
    _edit(root, lambda coco: coco['annotations'][4].update(bbox=[90, 0, 20, 10]))
    with pytest.raises(ValueError, match=r'1 of 6 annotations .*invalid box') as caught:
        _build(root)
    assert 'train_001.png (96 x 64 px), annotation 5' in str(caught.value)


def test_invalid_boxes_clip_and_drop(root: Path) -> None:
    def change(coco: dict[str, Any]) -> None:
        coco['annotations'][0]['bbox'] = [90, 0, 20, 10]
        coco['annotations'][1]['bbox'] = [100, 0, 20, 10]

    _edit(root, change)
    boxes = _build(root, invalid_boxes='clip')[0]['data_samples'].gt_instances.bboxes.tensor
    assert boxes[0].tolist() == [90, 0, 96, 10]
    assert len(boxes) == 2
    assert len(_build(root, invalid_boxes='drop')[0]['data_samples'].gt_instances) == 1


def test_unknown_invalid_boxes(root: Path) -> None:
    with pytest.raises(ValueError, match="invalid_boxes='fix'"):
        _build(root, invalid_boxes='fix')


def test_class_missing_in_file(root: Path) -> None:
    with pytest.raises(
        ValueError, match=r"no category \['bush'\]: its categories are \['tree'\], the classes are"
    ):
        _build(root, metainfo=dict(classes=('bush',)))


def test_classes_in_another_order(tmp_path: Path) -> None:
    make_coco_tree(tmp_path, classes=('tree', 'bush'))
    with pytest.raises(
        ValueError, match=r"lists its categories as \['tree', 'bush'\], the classes are \['bush'"
    ):
        _build(tmp_path, metainfo=dict(classes=('bush', 'tree')))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            lambda coco: coco['annotations'][3].update(id=1),
            r'1 id\(s\) of annotations occur more than once, such as \[1\]: number the annotations',
        ),
        (lambda coco: coco['images'][1].update(id=1), r'1 id\(s\) of images occur more than once'),
        (
            lambda coco: [a.update(category_id=0) for a in coco['annotations'][:2]],
            r'2 of 6 annotations, the first with id 1, have a category_id that is not in the file: 0. '
            r'Its ids are \[1\], ... \(1 of them\): check whether counting starts at 0 or 1',
        ),
        (
            lambda coco: coco['annotations'][5].update(image_id=7),
            r'1 of 6 annotations, the first with id 6, have a image_id that is not in the file: 7',
        ),
        (lambda coco: coco['annotations'][0].pop('id'), r"is no COCO JSON \(KeyError\('id'\)\)"),
    ],
)
def test_ids_that_lose_annotations(
    root: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    _edit(root, change)
    with pytest.raises(ValueError, match=message):
        _build(root)


def test_a_palette_that_another_config_left(tmp_path: Path) -> None:
    make_coco_tree(tmp_path, classes=('tree', 'bush'))
    classes = ('tree', 'bush')
    with pytest.raises(
        ValueError,
        match=r"PatchCocoDataset: the metainfo has 2 classes, \['tree', 'bush'\], but a palette of 1",
    ):
        _build(tmp_path, metainfo=dict(classes=classes, palette=[(34, 139, 34)]))
    for palette in (None, 'random', (1, 2, 3), [(1, 2, 3), (4, 5, 6), (7, 8, 9)]):
        assert len(_build(tmp_path, metainfo=dict(classes=classes, palette=palette))) == 2


def test_a_class_that_comes_twice(root: Path) -> None:
    with pytest.raises(ValueError, match=r"names the class\(es\) \['tree'\] more than once"):
        _build(root, metainfo=dict(classes=('tree', 'tree')))


@pytest.mark.filterwarnings('ignore::UserWarning')
def test_classes_as_a_string(root: Path) -> None:
    with pytest.raises(
        ValueError, match=r"classes='tree' is a string: write a tuple, \('tree', \)"
    ):
        _build(root, metainfo=dict(classes='tree'))


def test_subset_of_classes(tmp_path: Path) -> None:
    make_coco_tree(tmp_path, classes=('tree', 'bush'), objects=8)
    categories = [
        a['category_id'] for a in json.loads((tmp_path / 'train.json').read_text())['annotations']
    ]
    dataset = _build(tmp_path, metainfo=dict(classes=('bush',)))
    kept = sum(len(item['data_samples'].gt_instances) for item in dataset)
    assert 0 < kept == categories.count(2) < len(categories)


def test_missing_image_in_training_can_be_skipped(root: Path) -> None:
    (root / 'images' / 'train_000.png').unlink()
    pipeline = [dict(type='mmpatch.LoadPatchImage', on_error='skip'), *PIPELINE[1:]]
    assert _build(root, pipeline=pipeline)[0]['data_samples'].img_id == 2
    with pytest.raises(FileNotFoundError, match=r'no image at .*train_000\.png'):
        _build(root, pipeline=pipeline, test_mode=True)[0]
    with pytest.raises(FileNotFoundError, match=r'no image at .*train_000\.png'):
        _build(root)[0]
