"""Splits of PANDA, and slides that cannot be read."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import rasterio

from mmpatch.testing import load_tool


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    return load_tool('dataset_converters/panda')


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / 'train_images').mkdir()
    lines = ['image_id,data_provider,isup_grade,gleason_score']
    for number in range(24):
        lines.append(f's{number:02d},karolinska,{number % 6},x')
        pixels = np.random.default_rng(number).integers(0, 255, (3, 40, 60), dtype=np.uint8)
        settings = dict(driver='GTiff', height=40, width=60, count=3, dtype='uint8')
        tiles = dict(tiled=True, blockxsize=16, blockysize=16)
        with rasterio.open(
            tmp_path / 'train_images' / f's{number:02d}.tiff', 'w', **settings, **tiles
        ) as target:
            target.write(pixels)
    (tmp_path / 'train.csv').write_text('\n'.join(lines) + '\n')
    return tmp_path


def splits(source: Path) -> dict[str, list[str]]:
    return {p.stem: p.read_text().split() for p in (source / 'splits').iterdir()}


def run(tool: ModuleType, source: Path, *extra: str) -> dict[str, list[str]]:
    tool.main([str(source), '--val', '6', '--test', '6', '--workers', '1', *extra])
    return splits(source)


def test_splits(tool: ModuleType, source: Path) -> None:
    found = run(tool, source)
    assert {name: len(ids) for name, ids in found.items()} == {'train': 12, 'val': 6, 'test': 6}
    assert len(set(chain(*found.values()))) == 24
    for ids in found.values():
        grades = sorted(int(name[1:]) % 6 for name in ids)
        assert grades == sorted([*range(6)] * (len(ids) // 6))  # every grade in its share
    assert run(tool, source) == found and run(tool, source, '--seed', '1') != found


def test_bad_slides_are_named_and_left_out(
    tool: ModuleType, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / 'train_images' / 's03.tiff').unlink()
    whole = (source / 'train_images' / 's07.tiff').read_bytes()
    (source / 'train_images' / 's07.tiff').write_bytes(whole[: len(whole) // 2])
    found = run(tool, source)
    said = capsys.readouterr().out
    assert 'no image at' in said and 's03.tiff' in said and 's07.tiff' in said
    assert '2 of 24 slides left out' in said
    assert not {'s03', 's07'} & set(chain(*found.values()))


def test_bad_input(tool: ModuleType, source: Path) -> None:
    with pytest.raises(SystemExit, match='24 of 24 slides can be read, which leaves none'):
        tool.main([str(source), '--val', '20', '--test', '4', '--workers', '1'])
    (source / 'train.csv').write_text('image_id,grade\n')
    with pytest.raises(SystemExit, match=r"lacks the column\(s\) \['isup_grade'\]"):
        run(tool, source)
    with pytest.raises(SystemExit, match=r'no train\.csv in'):
        run(tool, source / 'nowhere')
