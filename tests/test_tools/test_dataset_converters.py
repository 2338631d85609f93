"""The converters write what the data sets and metrics read."""

import json
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mmpatch.datasets import PatchCocoDataset, SODADDataset
from mmpatch.datasets.wheel_files import sha256_of
from mmpatch.evaluation import SODADMetric
from mmpatch.testing import load_tool, make_soda_d_tree


@pytest.fixture
def soda_d() -> ModuleType:
    return load_tool('dataset_converters/soda_d')


def _annotations(root: Path, name: str) -> dict[str, Any]:
    coco: dict[str, Any] = json.loads(
        (root / 'rawData' / 'Annotations' / f'{name}.json').read_text()
    )
    return coco


def test_soda_d_end_to_end(
    tmp_path: Path, soda_d: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Converter, data set and metric on one tree: the ground truth scores 1, on both files."""
    make_soda_d_tree(tmp_path, image_size=(320, 240), objects=12, ignore_regions=2)
    soda_d.main([str(tmp_path)])
    assert (
        'val_wo_ignore.json: 24 annotations, 4 of category ignore left out'
        in capsys.readouterr().out
    )
    dataset = SODADDataset(
        data_root=str(tmp_path / 'rawData'),
        ann_file='Annotations/val.json',
        data_prefix=dict(img='Images'),
        test_mode=True,
        pipeline=[
            dict(type='mmpatch.LoadPatchImage'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='PackDetInputs'),
        ],
    )
    results = []
    for name in ('val', 'val_wo_ignore'):
        metric = SODADMetric(str(tmp_path / 'rawData' / 'Annotations' / f'{name}.json'))
        metric.dataset_meta = dataset.metainfo
        for item in dataset:
            sample = item['data_samples']
            sample.pred_instances = sample.gt_instances.clone()
            sample.pred_instances.bboxes = sample.gt_instances.bboxes.tensor
            sample.pred_instances.scores = torch.full((len(sample.gt_instances),), 0.9)
            metric.process({}, [sample.to_dict()])
        results.append(metric.evaluate(size=len(dataset)))
    assert results[0] == results[1]
    assert results[0]['soda_d/AP'] == pytest.approx(1)
    assert results[0]['soda_d/recall50'] == 1


def test_soda_d_removes_the_category_only(tmp_path: Path, soda_d: ModuleType) -> None:
    make_soda_d_tree(tmp_path)
    soda_d.main([str(tmp_path), '--splits', 'train'])
    raw, clean = _annotations(tmp_path, 'train'), _annotations(tmp_path, 'train_wo_ignore')
    assert clean['images'] == raw['images']
    assert clean['categories'] == raw['categories'][:9]
    assert clean['annotations'] == [a for a in raw['annotations'] if a['category_id'] != 10]
    assert len(clean['annotations']) < len(raw['annotations'])
    assert not (tmp_path / 'rawData' / 'Annotations' / 'val_wo_ignore.json').exists()


def test_soda_d_overwrites_only_when_told(tmp_path: Path, soda_d: ModuleType) -> None:
    make_soda_d_tree(tmp_path)
    target = tmp_path / 'rawData' / 'Annotations' / 'val_wo_ignore.json'
    target.write_text('mine')
    with pytest.raises(SystemExit, match=r'val_wo_ignore\.json already there: pass --overwrite'):
        soda_d.main([str(tmp_path)])
    assert target.read_text() == 'mine'
    soda_d.main([str(tmp_path), '--overwrite'])
    assert len(_annotations(tmp_path, 'val_wo_ignore')['annotations']) == 12


def test_soda_d_missing(tmp_path: Path, soda_d: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r'no annotations at .*train\.json.*downloaded by hand'):
        soda_d.main([str(tmp_path)])


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{', r'val\.json is not valid JSON'),
        (
            '[]',
            'is not COCO JSON: expected an object with the lists images, annotations, categories',
        ),
        (
            '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "car"}]}',
            r"the categories \['car'\]",
        ),
    ],
)
def test_soda_d_other_files(tmp_path: Path, soda_d: ModuleType, content: str, message: str) -> None:
    make_soda_d_tree(tmp_path)
    (tmp_path / 'rawData' / 'Annotations' / 'val.json').write_text(content)
    with pytest.raises(SystemExit, match=message):
        soda_d.main([str(tmp_path)])


def test_soda_d_dangling_annotation(tmp_path: Path, soda_d: ModuleType) -> None:
    make_soda_d_tree(tmp_path)
    coco = _annotations(tmp_path, 'val')
    coco['annotations'][3]['image_id'] = 99
    with pytest.raises(ValueError, match=r'annotation 4 in val\.json refers to image 99'):
        soda_d.validate(coco, 'val.json')


VOC = """<annotation><filename>{name}.png</filename><size><width>40</width><height>30</height></size>
<object><name>Tree</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>40</xmax><ymax>30</ymax></bndbox></object>
<object><name>Tree</name><bndbox><xmin>11</xmin><ymin>6</ymin><xmax>20</xmax><ymax>10</ymax></bndbox></object>
<object><name>Tree</name><bndbox><xmin>36</xmin><ymin>0</ymin><xmax>50</xmax><ymax>5</ymax></bndbox></object>
<object><name>Tree</name><bndbox><xmin>60</xmin><ymin>1</ymin><xmax>70</xmax><ymax>5</ymax></bndbox></object>
</annotation>"""


@pytest.fixture
def yellowstone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool with two small scenes of the same layout, in ``tmp_path/fake.whl``."""
    tool = load_tool('dataset_converters/yellowstone')
    scenes = []
    with zipfile.ZipFile(tmp_path / 'fake.whl', 'w') as archive:
        archive.writestr(tool.LICENCE_MEMBER, b'MIT License')
        for number, scene in enumerate(tool.SCENES):
            picture = tmp_path / f'{scene.split}.png'
            Image.fromarray(np.full((30, 40, 3), 50 * number, dtype=np.uint8)).save(picture)
            xml = VOC.format(name=scene.stem).encode()
            archive.writestr(scene.image_member, picture.read_bytes())
            archive.writestr(scene.xml_member, xml)
            hashes = (sha256_of(picture.read_bytes()), sha256_of(xml))
            scenes.append(tool.Scene(scene.split, scene.stem, 3, *hashes))
    monkeypatch.setattr(tool, 'SCENES', tuple(scenes))
    monkeypatch.setattr(tool, 'LICENCE_SHA256', sha256_of(b'MIT License'))
    return tool


def test_yellowstone_end_to_end(
    tmp_path: Path, yellowstone: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second call does nothing, one after damage repairs it, and the data set reads the result."""
    out = tmp_path / 'data' / 'yellowstone'
    command = ['--out', str(out), '--wheel', str(tmp_path / 'fake.whl')]
    yellowstone.main(command)
    assert f'wrote {out}' in capsys.readouterr().out
    assert 'MIT License' in (out / 'README.txt').read_text()
    yellowstone.main(['--out', str(out), '--wheel', 'not needed any more'])
    assert 'already there and whole' in capsys.readouterr().out
    image = out / 'images' / f'{yellowstone.SCENES[0].stem}.png'
    image.write_bytes(image.read_bytes()[:50])
    yellowstone.main(command)
    assert 'wrote' in capsys.readouterr().out
    dataset = PatchCocoDataset(
        data_root=str(out),
        ann_file='train.json',
        data_prefix=dict(img='images'),
        metainfo=dict(classes=('tree',)),
        pipeline=[
            dict(type='mmpatch.LoadPatchImage'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='PackDetInputs'),
        ],
    )
    boxes = dataset[0]['data_samples'].gt_instances.bboxes.tensor.tolist()
    # 1-based and inclusive in the XML; the third is clipped to the image, the fourth lies outside.
    assert boxes == [[0, 0, 40, 30], [10, 5, 20, 10], [35, 0, 40, 5]]


def test_yellowstone_wrong_wheel(tmp_path: Path, yellowstone: ModuleType) -> None:
    with zipfile.ZipFile(tmp_path / 'other.whl', 'w') as archive:
        archive.writestr('other/__init__.py', b'')
    with pytest.raises(SystemExit, match=r'error: .* does not hold deepforest'):
        yellowstone.main(['--out', str(tmp_path / 'out'), '--wheel', str(tmp_path / 'other.whl')])
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    'xml', [b'<annotation>', b'<annotation><size><width>4</width></size></annotation>']
)
def test_yellowstone_broken_xml(yellowstone: ModuleType, xml: bytes) -> None:
    with pytest.raises(ValueError, match=r'the annotation of a\.png is not Pascal VOC XML'):
        yellowstone.voc_to_coco(xml, 'a.png')


def test_yellowstone_knows_the_published_counts() -> None:
    scenes = load_tool('dataset_converters/yellowstone').SCENES
    assert [(scene.split, scene.boxes) for scene in scenes] == [('train', 574), ('test', 279)]


@pytest.mark.parametrize(
    'name', ['soda_d', 'yellowstone', 'scales', 'inside', 'lakes', 'nuclei', 'drive', 'aerial']
)
def test_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='0'):
        load_tool(f'dataset_converters/{name}').main(['--help'])
    assert 'usage:' in capsys.readouterr().out
