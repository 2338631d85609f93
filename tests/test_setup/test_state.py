"""What is done is not done again; what was cut off is."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest

from envsetup.state import State, fingerprint, locked


def test_step_is_done_only_with_its_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / 'notes' / 'state.json'
    with State(path).doing('packages', 'abc'):
        pass
    assert State(path).done('packages', 'abc')
    assert not State(path).done('packages', 'abd')
    assert not State(path).done('operators', 'abc')


def test_failed_step_is_known_as_cut_off(tmp_path: Path) -> None:
    path = tmp_path / 'state.json'
    with State(path).doing('packages', 'abc'):
        pass
    with pytest.raises(RuntimeError, match='pulled'), State(path).doing('packages', 'abd'):
        raise RuntimeError('the plug was pulled')
    assert State(path).cut_off('packages')
    assert not State(path).done('packages', 'abc')


def test_unreadable_state_is_no_state(tmp_path: Path) -> None:
    path = tmp_path / 'state.json'
    path.write_text('{"packages": "ab')
    assert not State(path).done('packages', 'ab')


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / 'lock.txt'
    path.write_text('torch==2.11.0\n')
    before = fingerprint('3.11', path)
    path.write_text('torch==2.11.1\n')
    assert fingerprint('3.11', path) != before
    assert fingerprint('a', 'bc') != fingerprint('ab', 'c')


def _hold(path: Path, held: multiprocessing.synchronize.Event) -> None:
    with locked(path, 'waiting'):
        held.set()
        time.sleep(0.5)
        (path.parent / 'first').touch()


def test_second_one_waits_for_the_lock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context = multiprocessing.get_context('fork')
    held = context.Event()
    process = context.Process(target=_hold, args=(tmp_path / 'lock', held))
    process.start()
    assert held.wait(timeout=30)
    with locked(tmp_path / 'lock', 'somebody else is at it'):
        assert (tmp_path / 'first').exists()
    process.join()
    assert 'somebody else is at it' in capsys.readouterr().out
