"""Every config trains, is validated and tested, on generated data of its layout."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmpatch.comparison import SUITES, runs
from mmpatch.testing import load_tool, run_forked

from .small_data import make_data, make_small

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(p for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts)
#: Suites that are run whole; the other configs are run one by one.
WHOLE = ('tju-pedestrian',)
IN_SUITES = {Path(name).name for suite in WHOLE for name in SUITES[suite]}
ALONE = [path for path in CONFIGS if path.stem not in IN_SUITES]


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('every')
    make_data(root)
    return root


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    # What takes longer than these trainings: asking compilers for the log, and formatting configs
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)
    monkeypatch.setattr(Config, 'pretty_text', property(_plain_text))


def _plain_text(cfg: Config) -> str:
    return ''.join(f'{key} = {value!r}\n' for key, value in cfg.to_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize('path', ALONE, ids=lambda path: path.stem)
def test_config_trains(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    cfg = make_small(Config.fromfile(path), path.stem)
    cfg.work_dir = str(folder / 'work_dirs' / path.stem)
    cfg.launcher = 'none'
    cfg.experiment_name = path.stem  # mmengine keeps scopes by it
    cfg.default_hooks.checkpoint.update(interval=-1, save_last=False, save_best=None)
    runner = Runner.from_cfg(cfg)
    runner.train()
    metrics = runner.test()
    assert any(value == value for value in metrics.values())


@pytest.mark.slow
@pytest.mark.parametrize('suite', WHOLE)
def test_suite(suite: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command trains and tests every row of a table of the paper."""
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
