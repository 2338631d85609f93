"""The generator of digits on a canvas."""

from __future__ import annotations

import gzip
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from mmpatch.datasets.digit_scenes import combinations
from mmpatch.testing import load_tool


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    return load_tool('dataset_converters/ultramnist')


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """IDX files whose digit d is a square of grey d * 10 + 100; 20 of each in train, 5 in t10k."""
    folder = tmp_path / 'mnist'
    folder.mkdir()
    for part, count in (('train', 20), ('t10k', 5)):
        labels = np.repeat(np.arange(10), count).astype(np.uint8)
        images = np.repeat(labels * 10 + 100, 64).reshape(-1, 8, 8).astype(np.uint8)
        for name, array in (
            (f'{part}-images-idx3-ubyte', images),
            (f'{part}-labels-idx1-ubyte', labels),
        ):
            shape = np.array(array.shape, dtype='>i4').tobytes()
            data = bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()
            (folder / f'{name}.gz').write_bytes(gzip.compress(data))
    return folder


def make(tool: ModuleType, out: Path, mnist: Path, *extra: str) -> None:
    numbers = [
        '--side',
        '160',
        '--train',
        '12',
        '--val',
        '2',
        '--test',
        '3',
        '--smallest',
        '9',
        '--largest',
        '40',
    ]
    tool.main(['--out', str(out), '--mnist', str(mnist), *numbers, *extra])


def contents(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob('*')) if p.is_file()}


@pytest.mark.parametrize('classes', [10, 28])
def test_labels_are_the_sums(tool: ModuleType, tmp_path: Path, mnist: Path, classes: int) -> None:
    out = tmp_path / 'out'
    make(tool, out, mnist, '--classes', str(classes), '--workers', '1')
    lines = (out / 'train.csv').read_text().splitlines()
    assert lines[0] == 'id,digit_sum' and len(lines) == 13
    for line in lines[1:]:
        name, total = line.split(',')
        pixels = np.array(Image.open(out / 'train' / f'{name}.png'))
        assert pixels.shape == (160, 160)
        assert 0 <= int(total) < classes
        assert sum(digits_in(pixels)) == int(total)


def digits_in(pixels: np.ndarray) -> list[int]:
    """The digits of an image: squares that do not overlap, by flood fill from their corners."""
    found, left = [], pixels.copy()
    while left.any():
        y, x = (int(v) for v in np.argwhere(left)[0])
        value = left[y, x]
        row, col = left[y, x:] == value, left[y:, x] == value
        width = len(row) if row.all() else int(row.argmin())
        height = len(col) if col.all() else int(col.argmin())
        side = min(width, height)
        assert (left[y : y + side, x : x + side] == value).all() and side >= 9
        left[y : y + side, x : x + side] = 0
        found.append((int(value) - 100) // 10)
    return found


def test_single_digits(tool: ModuleType, tmp_path: Path, mnist: Path) -> None:
    out = tmp_path / 'out'
    make(tool, out, mnist, '--digits', '1', '1', '--largest', '160', '--workers', '1')
    for line in (out / 'train.csv').read_text().splitlines()[1:]:
        name, total = line.split(',')
        assert digits_in(np.array(Image.open(out / 'train' / f'{name}.png'))) == [int(total)]


def test_workers_and_interruptions_change_nothing(
    tool: ModuleType, tmp_path: Path, mnist: Path
) -> None:
    make(tool, tmp_path / 'one', mnist, '--workers', '1')
    make(tool, tmp_path / 'two', mnist, '--workers', '2')
    assert contents(tmp_path / 'one') == contents(tmp_path / 'two')
    (tmp_path / 'two' / 'train' / '000004.png').unlink()
    make(tool, tmp_path / 'two', mnist, '--workers', '1')
    assert contents(tmp_path / 'one') == contents(tmp_path / 'two')
    make(tool, tmp_path / 'other', mnist, '--workers', '1', '--seed', '1')
    assert contents(tmp_path / 'one') != contents(tmp_path / 'other')


@pytest.mark.parametrize(
    ('extra', 'message'),
    [
        (('--seed', '1'), 'was made with seed=0, now asked for seed=1'),
        (('--largest', '50'), 'was made with largest=40, now asked for largest=50'),
    ],
)
def test_old_images_get_no_new_labels(
    tool: ModuleType, tmp_path: Path, mnist: Path, extra: tuple[str, str], message: str
) -> None:
    make(tool, tmp_path / 'out', mnist, '--workers', '1')
    before = contents(tmp_path / 'out')
    with pytest.raises(SystemExit, match=message):
        make(tool, tmp_path / 'out', mnist, '--workers', '1', *extra)
    assert contents(tmp_path / 'out') == before
    make(tool, tmp_path / 'out', mnist, '--workers', '1', '--train', '14')  # more are welcome
    assert before.items() - contents(tmp_path / 'out').items() == {
        ('train.csv', before['train.csv'])
    }


def test_validation_images_are_others_with_digits_of_training(
    tool: ModuleType, tmp_path: Path, mnist: Path
) -> None:
    make(tool, tmp_path / 'out', mnist, '--workers', '1')
    found = contents(tmp_path / 'out')
    images = {name: data for name, data in found.items() if name.endswith('.png')}
    assert len(images) == 17 and len(set(images.values())) == 17
    assert len(found['val.csv'].splitlines()) == 3


def test_kaggle_is_shared_out(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / 'kaggle', tmp_path / 'out'
    (folder / 'train').mkdir(parents=True)
    rows = [f'name{i},{i % 28}' for i in range(57)]
    (folder / 'train.csv').write_text('\n'.join(['id,digit_sum', *rows, '']))
    for _ in range(2):  # the second call changes nothing
        tool.main(['--kaggle', str(folder), '--out', str(out)])
        assert '47 for train, 5 for val, 5 for test' in capsys.readouterr().out
    found = [(out / f'{split}.csv').read_text().split() for split in ('train', 'val', 'test')]
    assert [len(lines) for lines in found] == [48, 6, 6]
    assert sorted(line for lines in found for line in lines[1:]) == sorted(rows)
    assert (out / 'val').resolve() == (folder / 'train').resolve()
    with pytest.raises(SystemExit, match='was made with seed=0, now asked for seed=1'):
        tool.main(['--kaggle', str(folder), '--out', str(out), '--seed', '1'])
    with pytest.raises(SystemExit, match='is the folder of the archive: choose another one'):
        tool.main(['--kaggle', str(folder), '--out', str(folder)])
    with pytest.raises(SystemExit, match=r'no .*train\.csv: pass the folder of the archive'):
        tool.main(['--kaggle', str(out / 'nowhere'), '--out', str(out)])


def test_combinations_are_whole() -> None:
    assert combinations(0, 4) == [(0, 0, 0, 0)]
    assert combinations(2, 3) == [(0, 0, 2), (0, 1, 1)]
    assert combinations(7, 1) == [(7,)] and combinations(28, 3) == []
    assert all(sum(x) == 27 and len(x) == 5 for x in combinations(27, 5))


def test_bad_input(
    tool: ModuleType, tmp_path: Path, mnist: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for extra, said in (
        (['--largest', '100'], 'the largest may have 53 px'),
        (['--smallest', '33'], 'the smallest 32 px'),
        (['--classes', '47'], 'must be 1 to 46'),
        (['--digits', '4', '3'], 'two rising numbers'),
    ):
        with pytest.raises(SystemExit):
            make(tool, tmp_path / 'out', mnist, *extra)
        assert said in capsys.readouterr().err
    (mnist / 't10k-images-idx3-ubyte.gz').unlink()
    with pytest.raises(SystemExit, match='no t10k-images-idx3-ubyte'):
        make(tool, tmp_path / 'out', mnist)
    (mnist / 't10k-images-idx3-ubyte').write_bytes(b'xx')
    with pytest.raises(SystemExit, match='no IDX file of 3 axes, or truncated'):
        make(tool, tmp_path / 'out', mnist)
