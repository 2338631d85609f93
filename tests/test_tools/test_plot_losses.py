"""The command line of plot_losses."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from mmpatch.testing import load_tool
from mmpatch.visualization import plot_losses


@pytest.fixture
def tool() -> ModuleType:
    return load_tool('analysis_tools/plot_losses')


def test_plot(tmp_path: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / 'run' / '20260101_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    rows = [dict(loss=1 / step, lr=0.1, iter=step, step=step) for step in range(1, 20)]
    log.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    out = tmp_path / 'losses.png'
    tool.main([str(tmp_path / 'run'), '--out', str(out), '--keys', 'loss'])
    assert capsys.readouterr().out == f'wrote {out}\n'
    assert out.stat().st_size > 5000
    assert tool.plot_losses is plot_losses


def test_no_log(tmp_path: Path, tool: ModuleType) -> None:
    with pytest.raises(SystemExit, match='error: no log at'):
        tool.main([str(tmp_path)])


def test_help(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='0'):
        tool.main(['--help'])
    assert '--keys' in capsys.readouterr().out
