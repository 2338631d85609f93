"""Digits of all sizes: boxes lie on their digits, and splits share nothing that they should not."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmpatch.datasets import PatchCocoDataset, digit_scenes
from mmpatch.testing import load_tool

from .digit_wheels import make, use_small_wheels

SIDE, SIZES = 256, ((1, 90, 150), (2, 40, 60), (5, 12, 20))


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool with small images and few digits, and wheels whose backgrounds are dark red and dark blue."""
    use_small_wheels(tmp_path, SIDE, monkeypatch)
    tool = load_tool('dataset_converters/scales')
    monkeypatch.setattr(tool, 'SIZES', SIZES)
    return tool


def test_boxes_are_tight_and_digits_apart(tool: ModuleType, tmp_path: Path) -> None:
    made = make(tool, tmp_path, 'out')
    assert all(f'licence of {kind}' in made['README.txt'].decode() for kind in ('images', 'digits'))
    for split, images in (('train', 3), ('val', 1), ('test', 2)):
        coco: dict[str, Any] = json.loads(made[f'{split}.json'])
        assert len(coco['images']) == images and len(coco['annotations']) == 8 * images
        for image in coco['images']:
            pixels = np.array(Image.open(tmp_path / 'out/images' / image['file_name'])).astype(int)
            assert pixels.shape == (SIDE, SIDE, 3)
            ink = pixels[..., 1] > 50  # green, which no background has
            free, far = np.ones_like(ink), np.ones_like(ink)
            boxes = [b['bbox'] for b in coco['annotations'] if b['image_id'] == image['id']]
            limits = [(low, high) for count, low, high in SIZES for _ in range(count)]
            for (x, y, width, height), (low, high) in zip(boxes, limits):
                assert low - 2 <= max(width, height) <= high + 2
                assert free[y : y + height, x : x + width].all()  # no other digit is there
                free[y : y + height, x : x + width] = False
                far[max(0, y - 4) : y + height + 4, max(0, x - 4) : x + width + 4] = False
                part = ink[y : y + height, x : x + width]
                edges = (part[1], part[-2], part[:, 1], part[:, -2])
                assert all(edge.any() for edge in edges)
            assert not ink[far].any()
            red, blue = pixels[free][:, 0].mean(), pixels[free][:, 2].mean()
            assert blue > 30 > red if split == 'test' else red > 30 > blue
    data = PatchCocoDataset(
        data_root=str(tmp_path / 'out'),
        ann_file='val.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=('digit',)),
        pipeline=[],
    )
    assert len(data.get_data_info(0)['instances']) == 8


def test_ink_ends_at_its_box() -> None:
    """Without the losses of JPEG: next to a box there is nothing of the digit."""
    digit = np.zeros((28, 28), dtype=np.uint8)
    digit[5:25, 10:14] = digit[5:9, 10:20] = 255
    for size in (20, 64, 333, 1400):
        shares = digit_scenes.enlarge(digit, size)
        assert shares.shape[0] == pytest.approx(size, rel=0.06)
        assert shares.shape[1] == pytest.approx(size / 2, rel=0.1)
        assert all(edge.max() >= 0.5 for edge in (shares[0], shares[-1], shares.T[0], shares.T[-1]))
        row = shares[len(shares) // 2]
        assert row[-1] == 0  # paper shows the background as it is
        # An outline is as sharp in a large digit as in a small one.
        assert ((row > 0.05) & (row < 0.95)).sum() <= 5


def test_splits_share_no_digit() -> None:
    digits = digit_scenes.Digits(np.zeros((5000, 28, 28), dtype=np.uint8), np.arange(5000))
    parts = [digits.of_split(split).labels for split in ('train', 'val', 'test')]
    assert [len(part) for part in parts] == [3500, 500, 1000]
    assert len(set(np.concatenate(parts).tolist())) == 5000


@pytest.mark.usefixtures('tool')
def test_background_is_mirrored_not_repeated() -> None:
    image = np.arange(12, dtype=np.uint8)[None, :, None].repeat(7, axis=0).repeat(3, axis=2)
    for seed in range(4):
        cut = digit_scenes.cut_background(image, SIDE, np.random.default_rng(seed)).astype(int)
        assert cut.shape == (SIDE, SIDE, 3)
        steps = [abs(np.diff(cut[..., 0], axis=axis)) for axis in (0, 1)]
        assert {int(step.max()) for step in steps} == {0, 1}  # no jump from 11 to 0


def test_jobs_and_interruptions_change_nothing(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = make(tool, tmp_path, 'one')
    assert one == make(tool, tmp_path, 'two', '--jobs', '2')
    (tmp_path / 'two/images/train_0001.jpg').unlink()
    (tmp_path / 'two/val.json').write_bytes(one['val.json'][:40])
    assert one == make(tool, tmp_path, 'two')
    capsys.readouterr()
    tool.main(['--out', str(tmp_path / 'two'), '--images', '3', '1', '2'])  # needs no wheel
    assert 'already there and whole' in capsys.readouterr().out
    other = make(tool, tmp_path, 'other', '--seed', '1')
    assert other['images/train_0000.jpg'] != one['images/train_0000.jpg']
    with pytest.raises(SystemExit, match='was made with seed=0, now asked for seed=1'):
        make(tool, tmp_path, 'one', '--seed', '1')
    more = make(tool, tmp_path, 'one', '--images', '4', '1', '2')
    assert {k for k, v in one.items() if more[k] != v} == {'train.json'}
    assert (
        json.loads(more['train.json'])['annotations'][:24]
        == (json.loads(one['train.json'])['annotations'])
    )


def test_bad_input(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make(tool, tmp_path, 'out', '--jobs', '0')
    assert '--jobs must be positive' in capsys.readouterr().err
    (tmp_path / 'other-1-py3-none-any.whl').touch()
    with pytest.raises(SystemExit, match=r'other-1-py3-none-any.whl, which is neither of deepfor'):
        make(tool, tmp_path, 'out')
    out = tmp_path / 'full'
    (out / 'images').mkdir(parents=True)
    (out / 'images/train_0000.jpg').touch()
    with pytest.raises(SystemExit, match=r'holds files, but no made_with.json'):
        make(tool, tmp_path, 'full')
