from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmpatch.benchmark import METHODS, Cell, Result, plot, run_cell, scaling_table, table, to_csv
from mmpatch.benchmark.models import analytic_need, patch_cfg, stock_cfg
from mmpatch.benchmark.scaling import expected_seconds, share_of
from mmpatch.engine.memory_plan import BudgetError
from mmpatch.testing import load_tool

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/analysis_tools/benchmark.py'


@pytest.fixture(scope='module')
def base() -> dict[str, Any]:
    return Config.fromfile(ROOT / 'configs/_base_/models/patch_fcos_r50_fpn.py').model.to_dict()


@pytest.mark.parametrize('method', METHODS)
def test_every_method_trains_a_step(base: dict[str, Any], method: str) -> None:
    check(Cell(method, 'fcos-r18', 256, patch_size=256, objects=5, small_side=128, steps=1), base)


def test_operations_are_counted(base: dict[str, Any]) -> None:
    """The exact gradient encodes twice, unless graphs are kept; the stock model encodes once."""
    cell = Cell('exact', 'fcos-r18', 512, patch_size=256, objects=5, steps=1, count=True)
    twice, once, stock = (
        check(replace(cell, method=method, graphs=graphs), base).operations
        for method, graphs in (('exact', 0), ('exact', 5), ('full', 0))
    )
    assert 1.25 * stock < once < 1.6 * stock  # five windows for four, and aggregators
    assert 1.2 * once < twice < 4 / 3 * once
    lines = table([Result(cell, seconds=1.0, operations=twice)]).splitlines()
    assert lines[0].rstrip(' |').endswith('TFLOP / step')
    assert float(lines[2].split('|')[-2]) == pytest.approx(twice / 1e12, abs=0.01)
    assert 'TFLOP' not in table([Result(cell, seconds=1.0)])


@pytest.mark.parametrize('method', ['full', 'checkpointed', 'exact'])
def test_segmentors(method: str) -> None:
    base = Config.fromfile(ROOT / 'configs/_base_/models/patch_unet.py').model.to_dict()
    base['backbone']['base_channels'] = 16
    base['decode_head'].update(in_channels=16, channels=16)
    check(Cell(method, 'unet', 96, patch_size=64, objects=5, latent_stride=2, steps=1), base)


def check(cell: Cell, base: dict[str, Any]) -> Result:
    result = run_cell(cell, base)
    assert result.seconds is not None and result.seconds > 0
    assert result.idle > 0 and result.loss > 0
    # This process may have room for the step already, and the kernel's counters lag some pages.
    assert result.peak > 0.99 * result.idle
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result
    return result


def test_the_need_of_a_full_image(base: dict[str, Any]) -> None:
    """FCOS-R50 at 4096 x 4096 takes 21.2 GiB."""
    stock = stock_cfg(patch_cfg(base, 'fcos-r50', 512))
    assert 18 < analytic_need(stock, 4096) / 2**30 < 24
    stock['backbone']['with_cp'] = True
    assert analytic_need(stock, 4096) / 2**30 < 18


def results() -> list[Result]:
    return [
        Result(
            Cell('exact', 'fcos-r50', 1024), seconds=2.0, peak=2 * 2**30, idle=2**29, kept=2**28
        ),
        Result(Cell('full', 'fcos-r50', 1024), seconds=1.0, peak=3 * 2**30, idle=2**29),
        Result(Cell('full', 'fcos-r50', 8192), need=85 * 2**30),
    ]


def test_tables(tmp_path: Path) -> None:
    lines = table(results()).splitlines()
    assert '| FCOS-R50 | full image  | 1024 x 1024 | 3.00' in lines[2]
    assert [text.strip() for text in lines[3].split('|')[4:9]] == [
        '2.00',
        '1.50',
        '0.25',
        '2.00',
        '0.500',
    ]
    assert 'out of memory, needs 85.0' in lines[4]
    assert 'FCOS-R50,full image,8192 x 8192,"out of memory, needs 85.0"' in to_csv(results())
    plot(results(), tmp_path / 'x' / 'plot.png')
    assert (tmp_path / 'x' / 'plot.png').stat().st_size > 10_000
    plot([r for r in results() if r.seconds is None], tmp_path / 'needs.png')


def test_the_tool_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = load_tool('analysis_tools/benchmark')
    measured: list[Cell] = []

    def measure(cell: Cell, limit: int) -> Result:
        measured.append(cell)
        if len(measured) == 2:
            raise KeyboardInterrupt
        return Result(cell, seconds=1.0, peak=2**31, idle=2**30)

    monkeypatch.setattr(tool, 'measure', measure)
    arguments = ['--sides', '1024', '--methods', 'full', 'exact', '--out', str(tmp_path)]
    with pytest.raises(KeyboardInterrupt):
        tool.main(arguments)
    assert len(json.loads((tmp_path / 'results.json').read_text())) == 1
    tool.main(arguments)
    assert [cell.method for cell in measured] == ['full', 'exact', 'exact']
    assert (tmp_path / 'benchmark.png').exists() and (tmp_path / 'table.csv').exists()
    assert 'FCOS-R50' in capsys.readouterr().out


@pytest.mark.slow
def test_processes_share_the_patches(tmp_path: Path) -> None:
    """Both report one result, with the loss of one process; the table names what is measured."""
    tool = load_tool('analysis_tools/benchmark')
    cell = ['--methods', 'exact', '--models', 'mobilenetv2', '--sides', '128', '--steps', '1']
    cell += ['--patch-size', '64', '--device', 'cpu', '--out', str(tmp_path)]
    for extra in ([], ['--ranks', '2']):
        tool.main([*cell, *extra])
    alone, shared = json.loads((tmp_path / 'results.json').read_text())
    assert (alone['cell']['ranks'], shared['cell']['ranks']) == (1, 2)
    assert shared['loss'] == pytest.approx(alone['loss'], rel=1e-4)
    assert 'ours, exact, 2 processes' in (tmp_path / 'table.md').read_text()
    compiled = Result(Cell('exact', 'unet', 64, compile=True), seconds=1.0)
    assert 'ours, exact, compiled' in table([compiled])


def test_what_several_processes_are_expected_to_take(base: dict[str, Any]) -> None:
    """Rows of patches with the row next to them, or patches one by one and Z sent to all."""
    alone = Result(
        Cell('exact', 'fcos-r18', 2048, patch_size=256),
        seconds=20.0,
        times=dict(encode=4.0, score=4.0, replay=8.0),
    )
    share = share_of(alone, base, 2)
    weights = share_of(alone, base, 1000).sent / 2  # all of it goes out twice, but for a thousandth
    assert (share.encoded, share.scored) == (5 / 8, 4 / 8)
    assert share.sent == pytest.approx(weights, rel=2e-3)
    assert share_of(alone, base, 3).encoded == 5 / 8  # 3 + 3 + 2 rows, those in the middle + 2
    assert expected_seconds(alone, share, share.sent) == pytest.approx(
        4 + 5 / 8 * 12 + 4 / 8 * 4 + 1
    )

    cls = Config.fromfile(ROOT / 'configs/_base_/models/patch_mobilenetv2_cls.py').model.to_dict()
    image = 3 * 1024**2
    alone = Result(Cell('exact', 'mobilenetv2', 1024, patch_size=256), seconds=1.0, kept=image)
    without_latent = share_of(alone, cls, 2)
    with_latent = share_of(replace(alone, kept=image + 2 * 2**20), cls, 2)
    assert (without_latent.encoded, without_latent.scored) == (1 / 2, 1.0)
    assert with_latent.sent - without_latent.sent == 3 / 2 * 2**20
    lines = scaling_table([alone, replace(alone, cell=replace(alone.cell, ranks=2))], cls, 2**30)
    assert len(lines.splitlines()) == 4


def test_a_budget_is_planned_as_in_training(base: dict[str, Any]) -> None:
    cell = Cell('exact', 'fcos-r18', 512, patch_size=256, objects=5, steps=1)
    roomy = check(replace(cell, memory_budget=64 * 2**30), base)
    # All five graphs fit, the global patch's among them. Measured times decide on the chunk.
    assert roomy.plan in ('5 at a time', '1 at a time, 5 graphs', '2 at a time, 5 graphs')
    with pytest.raises(BudgetError, match='cannot be met'):
        run_cell(replace(cell, memory_budget=2**20), base)
    planned = Result(replace(cell, memory_budget=3 * 2**30), seconds=1.0, plan=roomy.plan)
    assert f'ours, exact, budget 3.00 GiB: {roomy.plan}' in table([planned])


def test_what_cannot_run_is_not_started() -> None:
    result = load_tool('analysis_tools/benchmark').measure(
        Cell('full', 'fcos-r50', 16384), 8 * 2**30
    )
    assert result.seconds is None and result.need > 200 * 2**30
