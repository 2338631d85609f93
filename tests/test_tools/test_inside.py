"""Digits inside and outside of fences: labels are what a flood fill says."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmpatch.datasets.digit_scenes import Digits
from mmpatch.testing import load_tool

from .digit_wheels import make, use_small_wheels

SIDE = 320


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool with small images, and backgrounds that are dark red and dark blue."""
    use_small_wheels(tmp_path, SIDE, monkeypatch)
    tool = load_tool('dataset_converters/inside')
    small = dict(RADIUS=(50, 70), WIDTH=4, APART=8, SIZE=(8, 12), CLEAR=6, FENCES=2, DIGITS=10)
    for name, value in small.items():
        monkeypatch.setattr(tool, name, value)
    return tool


def test_labels_say_on_which_side_of_a_fence_a_digit_lies(tool: ModuleType, tmp_path: Path) -> None:
    made = make(tool, tmp_path, 'out')
    for split, images in (('train', 3), ('val', 1), ('test', 2)):
        coco: dict[str, Any] = json.loads(made[f'{split}.json'])
        assert [c['name'] for c in coco['categories']] == ['region', 'inside', 'outside']
        assert len(coco['images']) == images
        for image in coco['images']:
            found = [a for a in coco['annotations'] if a['image_id'] == image['id']]
            boxes = {i: [a['bbox'] for a in found if a['category_id'] == i] for i in (1, 2, 3)}
            assert [len(boxes[i]) for i in (1, 2, 3)] == [2, 5, 5]
            picture, oracle = (
                np.array(Image.open(tmp_path / 'out' / folder / image['file_name'])).astype(int)
                for folder in ('images', 'images_oracle')
            )
            assert picture.shape == oracle.shape == (SIDE, SIDE, 3)
            bright = picture[..., 1] > 50  # green, which no background has
            tinted = abs(oracle - picture).sum(axis=2) > 60
            for x, y, w, h in boxes[1]:
                assert bright[y : y + h, x].any() and bright[y : y + h, x + w - 1].any()
                assert bright[y, x : x + w].any() and bright[y + h - 1, x : x + w].any()
                assert tinted[y : y + h, x : x + w].mean() > 0.4
            for kind, inside in ((2, True), (3, False)):
                for x, y, w, h in boxes[kind]:
                    around = tinted[max(0, y - 1) : y + h + 1, max(0, x - 1) : x + w + 1]
                    border = np.concatenate([around[0], around[-1], around[:, 0], around[:, -1]])
                    assert border.mean() > 0.8 if inside else border.mean() < 0.2
                    assert bright[y : y + h, x : x + w].mean() > 0.1


def test_fences_and_digits_keep_their_distance(tool: ModuleType) -> None:
    digits = np.zeros((30, 28, 28), dtype=np.uint8)
    digits[:, 4:24, 10:16] = 255
    yard = tool.plan(Digits(digits, np.zeros(30, dtype=int)), np.random.default_rng(3))
    regions = [fence.region() for fence in yard.fences]
    assert not (tool._grown(regions[0], 7) & regions[1]).any()
    lines = [tool._grown(r, 5) & ~tool._shrunk(r, 5) for r in regions]
    taken = np.logical_or.reduce(lines)
    for one in [*yard.inside, *yard.outside]:
        left, top, width, height = one.box
        there = slice(top, top + height), slice(left, left + width)
        assert not taken[there].any()
        taken[there] = True


def test_jobs_and_interruptions_change_nothing(tool: ModuleType, tmp_path: Path) -> None:
    one = make(tool, tmp_path, 'one')
    assert one == make(tool, tmp_path, 'two', '--jobs', '2')
    (tmp_path / 'two/images_oracle/train_0001.jpg').unlink()
    assert one == make(tool, tmp_path, 'two')
    with pytest.raises(SystemExit, match='was made with seed=0, now asked for seed=1'):
        make(tool, tmp_path, 'one', '--seed', '1')
