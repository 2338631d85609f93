"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmpatch.utils.files import write_atomic


def test_write_atomic_replaces_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'data.bin'
    write_atomic(path, b'old')
    write_atomic(path, b'new')
    assert path.read_bytes() == b'new'
    assert [file.name for file in path.parent.iterdir()] == ['data.bin']


def test_write_atomic_keeps_the_old_file_on_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'data.bin'
    write_atomic(path, b'old')

    def fail(*_: object) -> None:
        raise OSError('disk full')

    monkeypatch.setattr('os.replace', fail)
    with pytest.raises(OSError, match='disk full'):
        write_atomic(path, b'new')
    assert path.read_bytes() == b'old'
    assert [file.name for file in tmp_path.iterdir()] == ['data.bin']
