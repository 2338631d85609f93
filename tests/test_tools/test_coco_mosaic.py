"""Mosaics of COCO images: every box lies on its object."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmpatch.datasets import PatchCocoDataset
from mmpatch.testing import load_tool

SIZES = [(50, 40), (30, 64), (64, 64), (128, 40), (20, 20)]
CATEGORIES = [dict(id=7, name='a'), dict(id=90, name='b')]


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    return load_tool('dataset_converters/coco_mosaic')


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Five images of black, with a rectangle of its own grey under every box; one is larger than a cell."""
    images, annotations = [], []
    (tmp_path / 'images').mkdir()
    for number, (width, height) in enumerate(SIZES):
        pixels = np.zeros((height, width), dtype=np.uint8)
        for x, y in ((2, 4), (width // 2, height // 2)):
            grey = 60 + 8 * len(annotations)
            pixels[y : y + 8, x : x + 6] = grey
            annotations.append(
                dict(
                    id=len(annotations),
                    image_id=100 + number,
                    category_id=(7, 90)[number % 2],
                    bbox=[x, y, 6, 8],
                    area=40,
                    iscrowd=int(number == 3),
                )
            )
        name = f'{number}.png'
        Image.fromarray(pixels).save(tmp_path / 'images' / name)
        images.append(dict(id=100 + number, file_name=name, width=width, height=height))
    text = json.dumps(dict(images=images, annotations=annotations, categories=CATEGORIES))
    (tmp_path / 'coco.json').write_text(text)
    return tmp_path


def run(tool: ModuleType, coco: Path, *extra: str) -> dict[str, Any]:
    arguments = [str(coco / 'coco.json'), str(coco / 'images'), '--out', str(coco / 'out')]
    tool.main([*arguments, '--side', '130', '--columns', '2', '--workers', '1', *extra])
    found: dict[str, Any] = json.loads((coco / 'out/annotations/train.json').read_text())
    return found


def test_boxes_lie_on_their_objects(tool: ModuleType, coco: Path) -> None:
    made = run(tool, coco, '--quality', '100')
    assert [len(image['sources']) for image in made['images']] == [4, 1]
    assert made['categories'] == CATEGORIES and len(made['annotations']) == 10
    source = json.loads((coco / 'coco.json').read_text())['annotations']
    for number, (box, old) in enumerate(zip(made['annotations'], source)):
        pixels = np.array(
            Image.open(coco / 'out/train' / f'{box["image_id"]:06d}.jpg').convert('L')
        )
        assert pixels.shape == (130, 130)
        scale = 65 / 128 if old['image_id'] == 103 else 1.0
        x, y, width, height = box['bbox']
        assert (width, height) == pytest.approx((6 * scale, 8 * scale), abs=1e-3)
        inside = pixels[int(y) + 2 : int(y + height) - 1, int(x) + 2 : int(x + width) - 1]
        if scale == 1:
            assert abs(float(np.median(inside)) - (60 + 8 * number)) < 4
            left = pixels[int(y) + 2 : int(y + height) - 1, max(0, int(x) - 2)]
            assert float(np.median(left)) < 20
        assert box['area'] == pytest.approx(40 * scale**2, abs=1e-3)
        assert (box['category_id'], box['iscrowd']) == (old['category_id'], old['iscrowd'])
    assert pixels[100, 100] == 250


def test_the_data_set_loads_and_an_interrupted_call_goes_on(tool: ModuleType, coco: Path) -> None:
    first = run(tool, coco)
    before = [path.read_bytes() for path in sorted((coco / 'out/train').iterdir())]
    (coco / 'out/train/000000.jpg').unlink()
    kept = (coco / 'out/train/000001.jpg').stat().st_mtime_ns
    assert run(tool, coco, '--workers', '2') == first
    assert [path.read_bytes() for path in sorted((coco / 'out/train').iterdir())] == before
    assert (coco / 'out/train/000001.jpg').stat().st_mtime_ns == kept
    data = PatchCocoDataset(
        data_root=str(coco / 'out'),
        ann_file='annotations/train.json',
        data_prefix=dict(img='train/'),
        metainfo=dict(classes=('a', 'b')),
        pipeline=[],
    )
    assert [len(info['instances']) for info in map(data.get_data_info, range(2))] == [8, 2]


@pytest.mark.parametrize('extra', [('--columns', '1'), ('--quality', '50')])
def test_old_mosaics_get_no_new_boxes(tool: ModuleType, coco: Path, extra: tuple[str, str]) -> None:
    before = run(tool, coco)
    name, value = extra[0].removeprefix('--'), extra[1]
    with pytest.raises(
        SystemExit, match=rf'was made with {name}=\d+, now asked for {name}={value}'
    ):
        run(tool, coco, *extra)
    assert json.loads((coco / 'out/annotations/train.json').read_text()) == before
    text = (coco / 'coco.json').read_text()
    (coco / 'coco.json').write_text(text.replace('"file_name": "0.png"', '"file_name": "1.png"'))
    with pytest.raises(SystemExit, match='was made with images='):
        run(tool, coco)


def test_bad_input(tool: ModuleType, coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(tool, coco, '--columns', '0')
    assert 'do not fit' in capsys.readouterr().err
    Image.new('L', (9, 9)).save(coco / 'images/2.png')
    with pytest.raises(SystemExit, match=r'2.png has 9 x 9 px, its entry says 64 x 64'):
        run(tool, coco)
    (coco / 'images/2.png').unlink()
    with pytest.raises(SystemExit, match=r'cannot read .*2.png'):
        run(tool, coco)
    text = (coco / 'coco.json').read_text()
    (coco / 'coco.json').write_text(text.replace('"image_id": 104', '"image_id": 5'))
    with pytest.raises(SystemExit, match='belongs to image 5, which is not in the file'):
        run(tool, coco)
    for content, message in (
        ('{', 'no COCO JSON'),
        ('[]', 'no COCO JSON'),
        ('{"images": [], "annotations": [], "categories": []}', 'lists no images'),
    ):
        (coco / 'coco.json').write_text(content)
        with pytest.raises(SystemExit, match=message):
            run(tool, coco)
    (coco / 'coco.json').unlink()
    with pytest.raises(SystemExit, match='no annotations at'):
        run(tool, coco)
