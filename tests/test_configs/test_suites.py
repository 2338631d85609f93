"""One command trains and tests every row of a table of the paper, on generated data of its layout."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from mmpatch.comparison import SUITES, Row, history, suite_rows
from mmpatch.testing import load_tool
from mmpatch.utils import load_checkpoint

from .small_data import WHOLE_SUITES, make_small


@pytest.mark.slow
@pytest.mark.usefixtures('forked_tools')
@pytest.mark.parametrize('suite', WHOLE_SUITES)
def test_suite(suite: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    small = []
    for row in suite_rows(suite):
        target = folder / 'configs' / Path(row.config).name
        target.parent.mkdir(exist_ok=True)
        plain = Row(row.config)
        make_small(plain.load(), plain.name, steps=3).dump(target)
        small.append(Row(target, row.overrides, row.variant))
    tool = load_tool('compare')
    monkeypatch.setattr(tool, 'suite_rows', lambda name: small)
    tool.main(['--suite', suite])
    out = folder / 'work_dirs' / suite
    with (out / 'table.csv').open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row['method'] for row in rows] == [row.name for row in SUITES[suite]]
    for row in rows:
        run = out / row['method']
        assert not row['failure'] and float(row['parameters [M]']) > 0
        losses = history(load_checkpoint((run / 'last_checkpoint').read_text()), 'loss')
        assert len(losses) == 3 and np.isfinite(losses).all() and losses.max() < 2 * losses[0]
        if row['method'].startswith(('fcos', 'patch')):  # the others crop at random
            assert losses[-1] < losses[0], row['method']
        metrics = json.loads((run / 'run.json').read_text())['metrics']
        (value,) = (value for name, value in metrics.items() if name.endswith('/AP'))
        assert row['AP'] == f'{value:.3f}' and -1 <= value <= 1
    assert ('MR_R' in rows[0]) == (suite == 'tju-pedestrian')
    assert (out / 'report.html').read_text().count('<figure>') == len(rows)
