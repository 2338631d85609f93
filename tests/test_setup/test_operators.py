"""The store of compiled wheels: keyed by what they depend on, whole or not there."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from envsetup import operators
from envsetup.console import SetupError
from envsetup.machine import OperatorTarget
from envsetup.operators import WheelStore, build, check_buildable
from envsetup.packages import Lock, Venv

ROOT = Path(__file__).resolve().parents[2]
NAME = 'onedl_mmcv-2.3.6-cp311-cp311-linux_x86_64.whl'


@pytest.fixture
def store(tmp_path: Path) -> WheelStore:
    """Make an empty store."""
    return WheelStore(tmp_path / 'wheels', '2.3.6', '2.11.0', OperatorTarget('cpu', 'why'))


class FakePip:
    """Stands for pip: writes the wheel that it is asked for.

    Args:
        content: The file in the wheel.
    """

    def __init__(self, content: str) -> None:
        self.content = content
        self.calls: list[tuple[list[str], Mapping[str, str]]] = []

    def __call__(
        self, command: Sequence[str | Path], what: str, log: Path, env: Mapping[str, str]
    ) -> None:
        """Build, in place of ``run_counted``."""
        words = [str(word) for word in command]
        self.calls.append((words, env))
        with zipfile.ZipFile(Path(words[words.index('--wheel-dir') + 1], NAME), 'w') as archive:
            archive.writestr(self.content, '')


def test_key_names_python_torch_and_target(store: WheelStore) -> None:
    assert store.key.startswith(f'cp3{sys.version_info.minor}-torch2.11.0-cpu-')


def test_store_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Lock.of(ROOT)
    monkeypatch.setenv('MMPATCH_WHEEL_DIR', str(tmp_path))
    assert WheelStore.of(lock, OperatorTarget('cpu', '')).root == tmp_path
    monkeypatch.delenv('MMPATCH_WHEEL_DIR')
    default = Path.home() / '.cache' / 'mmpatch' / 'wheels'
    assert WheelStore.of(lock, OperatorTarget('cpu', '')).root == default.resolve()


def test_build_leaves_the_wheel_and_nothing_else(
    store: WheelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = FakePip('mmcv/_ext.cpython-311-x86_64-linux-gnu.so')
    monkeypatch.setattr(operators, 'run_counted', pip)
    killed = store.root / f'.{store.key}.abc'
    killed.mkdir(parents=True)

    assert build(Venv(tmp_path / 'venv'), store) == store.folder / NAME
    assert store.find() == store.folder / NAME
    assert sorted(path.name for path in store.root.iterdir()) == [store.key, f'{store.key}.lock']

    command, env = pip.calls[0]
    assert command[-1] == 'onedl-mmcv==2.3.6'
    assert {'--no-cache-dir', '--no-build-isolation', '--no-deps'} < set(command)
    assert env['MMCV_WITH_OPS'] == '1'
    assert int(env['MAX_JOBS']) >= 1
    assert env['CFLAGS'].split()[-1] == '-g0'  # after Python's own -g

    build(Venv(tmp_path / 'venv'), store)
    assert len(pip.calls) == 1


def test_cuda_build_gets_the_headers_that_the_toolkit_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = FakePip('mmcv/_ext.cpython-311-x86_64-linux-gnu.so')
    monkeypatch.setattr(operators, 'run_counted', pip)
    monkeypatch.setenv('CPATH', '/of/the/user')
    venv = Venv(tmp_path / 'venv')
    headers = venv.site_packages / 'nvidia' / 'cu13' / 'include'
    headers.mkdir(parents=True)
    target = OperatorTarget('cu130-sm90', 'why', {'CUDA_HOME': str(tmp_path / 'cuda')})

    build(venv, WheelStore(tmp_path / 'wheels', '2.3.6', '2.11.0', target))
    _, env = pip.calls[0]
    assert env['CPATH'].split(os.pathsep) == ['/of/the/user', str(headers)]


def test_wheel_without_operators_is_not_kept(
    store: WheelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operators, 'run_counted', FakePip('mmcv/__init__.py'))
    with pytest.raises(SetupError, match='came out without compiled operators'):
        build(Venv(tmp_path / 'venv'), store)
    assert store.find() is None
    assert not list(store.root.glob('.*'))


def test_compiler_is_asked_for_only_if_there_is_something_to_compile(
    store: WheelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operators, 'check_compiler', _refuse)
    with pytest.raises(SetupError, match='no compiler'):
        check_buildable(store)
    store.folder.mkdir(parents=True)
    (store.folder / NAME).touch()
    check_buildable(store)


def test_store_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'file').touch()
    monkeypatch.setattr(operators, 'check_compiler', lambda: None)
    store = WheelStore(tmp_path / 'file', '2.3.6', '2.11.0', OperatorTarget('cpu', ''))
    with pytest.raises(SetupError, match='another folder with MMPATCH_WHEEL_DIR'):
        check_buildable(store)


def _refuse() -> None:
    raise SetupError('no compiler')
