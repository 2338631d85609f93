"""Every config trains, is validated and tested, on generated data of its layout."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmpatch.comparison import SUITES

from .small_data import WHOLE_SUITES, make_small

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(p for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts)
#: By test_suites.py.
IN_SUITES = {Path(name).name for suite in WHOLE_SUITES for name in SUITES[suite]}
ALONE = [path for path in CONFIGS if path.stem not in IN_SUITES]


@pytest.mark.slow
@pytest.mark.usefixtures('quick_runner')
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
