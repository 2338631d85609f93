"""Lock files say one thing for all Pythons, and a foreign environment is left alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envsetup.console import SetupError
from envsetup.packages import LEFT_OUT, Lock, Venv, install_packages

ROOT = Path(__file__).resolve().parents[2]
LOCKS = [Lock(ROOT / 'requirements' / f'lock-py3{minor}.txt') for minor in (10, 11, 12)]
ASKED = [
    line.partition('#')[0].strip()
    for line in (ROOT / 'requirements' / 'environment.in').read_text().splitlines()
    if re.match(r'\w', line)
]


@pytest.mark.parametrize('lock', LOCKS, ids=lambda lock: lock.path.stem)
def test_lock_pins_all_that_is_asked_for(lock: Lock) -> None:
    for line in ASKED:
        name, _, version = line.partition('==')
        name = re.split('[<>]', name)[0].lower()
        assert lock.pin(name) == (version or lock.pin(name))


@pytest.mark.parametrize('lock', LOCKS, ids=lambda lock: lock.path.stem)
def test_lock_has_exact_versions_only(lock: Lock) -> None:
    pins = [line for line in lock.text.splitlines() if not line.startswith('#')]
    assert len(pins) > 80
    assert [pin for pin in pins if not re.match(r'[a-z0-9-]+={2,3}\d[\w.]*( ; .+)?$', pin)] == []
    assert [pin for pin in pins if pin.startswith(tuple(f'{name}=' for name in LEFT_OUT))] == []


@pytest.mark.parametrize('name', ['torch', 'onedl-mmcv', 'onedl-mmdetection', 'numpy'])
def test_locks_agree_on_what_matters(name: str) -> None:
    assert len({lock.pin(name) for lock in LOCKS}) == 1


def test_missing_pin_is_said(tmp_path: Path) -> None:
    path = tmp_path / 'lock.txt'
    path.write_text('torchvision===0.26.0\n')
    with pytest.raises(SetupError, match=r'lock\.txt does not pin torch\.'):
        Lock(path).pin('torch')


def test_foreign_environment_is_not_touched(tmp_path: Path) -> None:
    theirs = tmp_path / 'venv' / 'pyvenv.cfg'
    theirs.parent.mkdir()
    theirs.touch()
    with pytest.raises(SetupError, match='was not made by this set-up'):
        install_packages(Venv(theirs.parent), LOCKS[1])
    assert theirs.exists()
