"""Every config, and every row of a suite, learns on generated data of its layout, and is tested."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.runner import Runner

from mmpatch.comparison import SUITES, Row, suite_rows

from .small_data import WHOLE_SUITES, make_small

ROOT = Path(__file__).parents[2]
FILES = [p for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts]
ROWS = {
    row.name: row
    for rows in ([Row(path) for path in sorted(FILES)], *map(suite_rows, SUITES))
    for row in rows
}
#: test_suites.py has them.
IN_SUITES = {row.name for suite in WHOLE_SUITES for row in suite_rows(suite)}
ALONE = [row for name, row in ROWS.items() if name not in IN_SUITES]
#: Metrics that each task reports in any case.
METRICS = {'bbox_head': {'AP', 'MR_R'}, 'decode_head': {'image/F1'}, 'head': {'accuracy/top1'}}


@pytest.mark.slow
@pytest.mark.parametrize('row', ALONE, ids=str)
def test_config_learns(row: Row, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    cfg = make_small(row.load(), row.name, steps=4)
    cfg.work_dir = str(folder / 'work_dirs' / row.name)
    cfg.launcher = 'none'
    cfg.experiment_name = row.name  # mmengine keeps scopes by it
    cfg.default_hooks.checkpoint.update(interval=-1, save_last=False, save_best=None)
    runner = Runner.from_cfg(cfg)
    before = {name: value.detach().clone() for name, value in runner.model.named_parameters()}
    runner.train()
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert min(losses[1:]) < losses[0]  # the last step may see a harder augmentation
    trained = {n: p for n, p in runner.model.named_parameters() if p.requires_grad}
    moved = sum(not value.equal(before[name]) for name, value in trained.items())
    assert moved > 0.9 * len(trained)  # some levels of a head may have no object
    metrics: dict[str, Any] = runner.test()
    task = next(key for key in METRICS if key in cfg.model)
    found = {name: value for name, value in metrics.items() if name.endswith(tuple(METRICS[task]))}
    assert found and all(0 <= value <= 100 for value in found.values())
