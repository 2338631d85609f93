"""One command trains and tests every row of a table of the paper, on generated data of its layout."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from mmengine.config import Config

from mmpatch.comparison import SUITES, runs
from mmpatch.testing import load_tool, run_forked

from .small_data import WHOLE_SUITES, make_small

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.usefixtures('quick_runner')
@pytest.mark.parametrize('suite', WHOLE_SUITES)
def test_suite(suite: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for name in SUITES[suite]:
        target = folder / 'configs' / f'{name}.py'
        target.parent.mkdir(parents=True, exist_ok=True)
        cfg = Config.fromfile(ROOT / 'configs' / f'{name}.py')
        make_small(cfg, target.stem).dump(target)
    tool = load_tool('compare')
    monkeypatch.setattr(tool, 'ROOT', folder)
    monkeypatch.setattr(runs, 'run_tool', run_forked)
    tool.main(['--suite', suite])
    out = folder / 'work_dirs' / suite
    with (out / 'table.csv').open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row['method'] for row in rows] == [Path(name).name for name in SUITES[suite]]
    for row in rows:
        assert float(row['AP']) >= 0 and float(row['parameters [M]']) > 0
    assert ('MR_R' in rows[0]) == (suite == 'tju-pedestrian')
    assert (out / 'report.html').read_text().count('<figure>') == len(rows)
