"""Sums of small digits: the label is the sum of the boxes' classes, and sums are spread evenly."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from mmpatch.datasets import PatchCsvDataset
from mmpatch.datasets.digit_scenes import Digits
from mmpatch.testing import load_tool

from .digit_wheels import make, use_small_wheels

SIDE, CUT = 96, 40


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool with small images, and backgrounds that are dark red and dark blue."""
    use_small_wheels(tmp_path, SIDE, monkeypatch)
    tool = load_tool('dataset_converters/sums')
    for name, counts, side in (
        ('LARGE', (3, 5), SIDE),
        ('SMALL', (0, 1), 64),
        ('WINDOWS', (0, 2), 80),
    ):
        small = getattr(tool, name)._replace(counts=counts, side=side, images=(3, 1, 2))
        monkeypatch.setattr(tool, name, small)
    monkeypatch.setattr(tool, 'SIZE', (16, 28))
    monkeypatch.setattr(tool, 'CUT', CUT)
    return tool


@pytest.mark.parametrize(
    ('extra', 'counts', 'side'),
    [([], (3, 5), SIDE), (['--small'], (0, 1), 64), (['--windows'], (0, 2), 80)],
)
def test_labels_are_sums(
    tool: ModuleType, tmp_path: Path, extra: list[str], counts: tuple[int, int], side: int
) -> None:
    made = make(tool, tmp_path, 'out', *extra)
    for split, images in (('train', 3), ('val', 1), ('test', 2)):
        data = PatchCsvDataset(
            ann_file=f'{split}.csv',
            data_root=str(tmp_path / 'out'),
            data_prefix='images',
            suffix='.jpg',
            metainfo=dict(classes=tuple('0123456789')),
        )
        assert len(data) == images
        coco = json.loads(made[f'{split}.json'])
        for i, image in enumerate(coco['images']):
            found = [a for a in coco['annotations'] if a['image_id'] == image['id']]
            assert counts[0] <= len(found) <= counts[1]
            info = data.get_data_info(i)
            assert info['gt_label'] == sum(a['category_id'] - 1 for a in found)
            picture = np.array(Image.open(info['img_path'])).astype(int)
            assert picture.shape == (side, side, 3)
            for x, y, w, h in (a['bbox'] for a in found):
                assert 15 <= max(w, h) <= 29
                assert (
                    picture[y : y + h, x : x + w, 1] > 70
                ).any()  # green, which no background has


def test_the_oracle_sees_digits_side_by_side(tool: ModuleType, tmp_path: Path) -> None:
    made = make(tool, tmp_path, 'out')
    coco = json.loads(made['test.json'])
    for image in coco['images']:
        picture, strip = (
            np.array(Image.open(tmp_path / 'out' / folder / image['file_name'])).astype(int)
            for folder in ('images', 'images_oracle')
        )
        assert strip.shape == (CUT, 5 * CUT, 3)
        boxes = [a['bbox'] for a in coco['annotations'] if a['image_id'] == image['id']]
        for number, (x, y, w, h) in enumerate(boxes):
            x, y = (min(max(a + b // 2 - CUT // 2, 0), SIDE - CUT) for a, b in ((x, w), (y, h)))
            shown = strip[:, number * CUT : (number + 1) * CUT]
            inner = (slice(8, -8), slice(8, -8))  # JPEG mixes blocks of 8 px at the seams
            assert abs(shown - picture[y : y + CUT, x : x + CUT])[inner].mean() < 4
        assert strip[:, len(boxes) * CUT + 8 :].max(initial=0) < 16


def test_small_images_have_no_oracle(tool: ModuleType, tmp_path: Path) -> None:
    make(tool, tmp_path, 'out', '--small')
    assert not (tmp_path / 'out' / 'images_oracle').exists()


def test_sums_are_spread_evenly(tool: ModuleType) -> None:
    pixels = np.zeros((30, 28, 28), dtype=np.uint8)
    pixels[:, 4:24, 10:16] = 255
    digits, rng = Digits(pixels, np.arange(30) % 10), np.random.default_rng(0)
    plans = [
        tool.plan(digits, rng, tool.SMALL._replace(counts=(0, 3), empty=0.0)) for _ in range(400)
    ]
    counts = np.bincount([tool.label(plan.objects) for plan in plans], minlength=10)
    assert len(counts) == 10 and counts.min() > 20
    assert {len(plan.placed) for plan in plans} == {0, 1, 2, 3}
    for plan in plans:
        for i, one in enumerate(plan.placed):
            assert not any(one.overlaps(other) for other in plan.placed[:i])
