"""What the set-up prints while it compiles."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from envsetup.console import environment, run_counted

COMPILE = "for i in range(1, 31): print(f'[{i}/30] c++ file')"


@pytest.mark.parametrize('terminal', [False, True])
def test_the_count_takes_one_line_on_a_terminal(
    terminal: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stdout, 'isatty', lambda: terminal, raising=False)
    run_counted([sys.executable, '-c', COMPILE], 'compiling', tmp_path / 'log', environment())
    shown = capsys.readouterr().out
    assert shown.endswith('30 of 30 files\n')
    assert (shown.count('\r'), shown.count('\n')) == ((30, 1) if terminal else (0, 10))
    assert '[17/30] c++ file' in (tmp_path / 'log').read_text()
