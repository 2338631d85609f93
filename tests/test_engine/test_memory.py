"""Sizes, meters, the plan for a budget, and the hook that reports."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner

from mmpatch.engine import memory_plan, rehearsal
from mmpatch.engine.gradients import ExactGradient, SampledGradient, Workload
from mmpatch.engine.hooks.memory_hook import MemoryLimitError
from mmpatch.engine.memory_plan import BudgetError, apply_plan, plan_memory
from mmpatch.engine.monitor import Monitor
from mmpatch.engine.stepper import Accumulation
from mmpatch.testing.tasks import TASKS, Task, passes_of
from mmpatch.utils.memory import (
    PeakMeter,
    SavedTensors,
    format_size,
    parse_size,
    release_unused,
    resident_memory,
)

RunTraining = Callable[..., Runner]
MIB = 2**20


@pytest.mark.parametrize(
    ('text', 'size'),
    [('4GiB', 4 * 2**30), (' 800 MB ', 800 * 10**6), ('1.5gib', 3 * 2**29), (123, 123)],
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize('text', ['', 'much', '4 apples', '-1GiB', '0', 'GiB'])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="such as '4GiB' or '800MB'; got"):
        parse_size(text)


def test_sizes_for_people() -> None:
    assert format_size(2.5 * 2**30) == '2.50 GiB' and format_size(37 * MIB) == '37 MiB'


def test_peak_meter_sees_memory_that_is_gone_again() -> None:
    with PeakMeter(torch.device('cpu')) as meter:
        block = torch.ones(64 * MIB // 4)
        for _ in range(20):
            block.mul_(1.0)
        del block
    release_unused(
        torch.device('cpu')
    )  # the C library may keep a block that it cut out of its heap
    assert 50 * MIB < meter.growth < 200 * MIB
    assert abs(resident_memory() - meter.start) < 40 * MIB


def test_saved_tensors_are_counted_once() -> None:
    x = torch.rand(1000, requires_grad=True)
    with SavedTensors(known=[x]) as saved:
        y = x.exp()
        (y * y).sum()
    assert saved.nbytes == y.nbytes  # exp and both factors keep the same tensor


class FixedMeter:
    """Memory of a rehearsal as if it had been measured: 1000 MiB idle, and more per patch.

    Attributes:
        pace: Time of a patch in a chunk of twice as many, over its time.
    """

    per_patch = 100 * MIB
    pace = 0.5
    tried: list[Workload] = []

    def __init__(self, device: torch.device) -> None:
        self.start = 1000 * MIB

    def __enter__(self) -> FixedMeter:
        return self

    def __exit__(self, *_: object) -> None:
        work = self.tried[-1]
        self.growth = self.per_patch * (work.chunk_size + work.graphs)


@pytest.fixture
def fixed_meter(monkeypatch: pytest.MonkeyPatch) -> type[FixedMeter]:
    """Rehearsals run, but what they take is fixed, and so is what a larger chunk is expected to."""
    monkeypatch.setattr(rehearsal, 'PeakMeter', FixedMeter)
    monkeypatch.setattr(FixedMeter, 'tried', [])
    monkeypatch.setattr(
        memory_plan,
        '_expected_growth',
        lambda passes, measured, larger, most: (
            (larger - measured.work.chunk_size) * FixedMeter.per_patch
        ),
    )
    monkeypatch.setattr(rehearsal, '_graph_size', lambda passes, chunk_size: FixedMeter.per_patch)

    def take_times(self: Monitor) -> dict[str, float]:
        chunk_size = FixedMeter.tried[-1].chunk_size if FixedMeter.tried else 1
        work = self.encoded * FixedMeter.pace ** math.log2(chunk_size)
        return dict(encode=work, score=float(self.encoded), replay=3 * work)

    monkeypatch.setattr(Monitor, 'take_times', take_times)
    for kind in (ExactGradient, SampledGradient):
        original = kind.rehearse

        def rehearse(
            self: Any, passes: Any, draws: Any, work: Workload, original: Any = original
        ) -> None:
            FixedMeter.tried.append(work)
            original(self, passes, draws, work)

        monkeypatch.setattr(kind, 'rehearse', rehearse)
    return FixedMeter


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize(
    ('budget', 'chunk', 'graphs'),
    [(1150, 1, 0), (1250, 2, 0), (1400, 2, 1), (1500, 4, 0), (1740, 4, 2), (9000, 4, 100)],
)
def test_chunks_come_first_and_then_graphs(
    fixed_meter: type[FixedMeter], task: Task, budget: int, chunk: int, graphs: int
) -> None:
    model: Any = task.build()
    model.chunk_size = 4
    passes = passes_of(task, model)
    gradient = ExactGradient()
    plan = plan_memory(passes, [], gradient, budget * MIB)
    most = gradient.waiting(passes, [], chunk) + passes.batch.num_images
    graphs = min(graphs, most) if graphs >= chunk else 0  # less than a chunk keeps nothing
    assert plan.work == Workload(chunk, graphs) and plan.measured.peak <= budget * MIB
    assert max(work.chunk_size + work.graphs for work in fixed_meter.tried) == chunk + graphs
    assert gradient.work == Workload(1)
    apply_plan(plan, passes, gradient)
    assert gradient.work == plan.work and passes.model.chunk_size == chunk
    assert f'{chunk} patch(es) with gradient at a time' in plan.table()
    assert ('are encoded once, not twice' in plan.table()) == (graphs > 0)


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize(
    ('draws', 'budget', 'work'),
    [
        ([[0, 1, 2], [4, 5]], 1900, Workload(5)),  # and both global patches
        ([[0, 1, 2], [4, 5]], 1530, Workload(2, 2)),
        ([[0]], 1900, Workload(3)),
        ([[0]], 1300, Workload(1)),
    ],
)
def test_sampled_is_planned_with_the_largest_draw(
    fixed_meter: type[FixedMeter], task: Task, draws: list[list[int]], budget: int, work: Workload
) -> None:
    passes = passes_of(task, task.build())
    plan = plan_memory(passes, [*map(torch.tensor, draws)], SampledGradient(), budget * MIB)
    assert plan.work == work


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize('kind', [ExactGradient, SampledGradient])
def test_a_budget_that_cannot_be_met_says_the_minimum(task: Task, kind: Any) -> None:
    passes = passes_of(task, task.build())
    draws = [torch.tensor([0, 1, 2])]
    with pytest.raises(
        BudgetError, match=r'10 MiB cannot.*takes .* [MG]iB, most of it process, model'
    ):
        plan_memory(passes, draws, kind(), 10 * MIB)


@pytest.mark.parametrize(
    ('pace', 'budget', 'chunk', 'graphs'),
    [
        (1.0, 1400, 1, 2),
        (0.945, 1570, 1, 4),  # four of six patches encoded once save more than a faster pace
        (0.9, 1570, 4, 0),
        (0.5, 2450, 4, 9),
    ],
)
def test_memory_goes_to_what_saves_more_time(
    fixed_meter: type[FixedMeter],
    monkeypatch: pytest.MonkeyPatch,
    pace: float,
    budget: int,
    chunk: int,
    graphs: int,
) -> None:
    monkeypatch.setattr(FixedMeter, 'pace', pace)
    passes = passes_of(TASKS[0], TASKS[0].build())
    passes.model.chunk_size = 4
    plan = plan_memory(passes, [], ExactGradient(), budget * MIB)
    assert plan.work == Workload(chunk, graphs) and plan.measured.pace > 0


def test_a_device_that_refuses_a_larger_chunk(
    fixed_meter: type[FixedMeter], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = TASKS[0]
    passes = passes_of(task, task.build())
    original = ExactGradient.rehearse

    def rehearse(self: Any, passes: Any, draws: Any, work: Workload) -> None:
        if work.chunk_size + work.graphs > 5:
            raise RuntimeError('CUDA error: out of memory')
        original(self, passes, draws, work)

    passes.model.chunk_size = 2
    monkeypatch.setattr(ExactGradient, 'rehearse', rehearse)
    assert plan_memory(passes, [], ExactGradient(), 9000 * MIB).work.chunk_size == 2


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize('kind', [ExactGradient, SampledGradient])
def test_a_rehearsal_leaves_no_trace(
    task: Task, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_plan, 'WORTH', math.inf)
    model: Any = task.build()
    passes = passes_of(task, model)
    waiting = [torch.rand_like(p) for p in model.parameters()]
    for parameter, grad in zip(model.parameters(), waiting):
        parameter.grad = grad.clone() if parameter.requires_grad else None
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.get_rng_state()
    draws = [torch.tensor([0, 1, 2])]
    plan = plan_memory(passes, draws, kind(), resident_memory() + 4000 * MIB)
    assert torch.equal(torch.get_rng_state(), state)
    for parameter, grad in zip(model.parameters(), waiting):
        assert not parameter.requires_grad or torch.equal(parameter.grad, grad)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert plan.measured.components['gradient of a batch'] >= 0 and plan.work.chunk_size > 1


def test_memory_that_comes_later_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    passes = passes_of(TASKS[0], TASKS[0].build())
    trained = sum(p.nbytes for p in passes.stepper.parameters if p.requires_grad)
    images = sum(image.nbytes for image in passes.batch.images)
    plain = rehearsal._later_memory(passes)
    assert plain == {'optimizer': 0, 'next batch': images}  # SGD without momentum
    passes.stepper.wrapper.optimizer = torch.optim.AdamW(passes.stepper.parameters)
    passes.stepper.accumulation = Accumulation(every=2)
    monkeypatch.setattr(rehearsal, 'get_world_size', lambda: 2)
    later = rehearsal._later_memory(passes)
    assert later['optimizer'] == 2 * trained
    assert later['gradients that wait for a step'] == trained
    assert later['gradients between processes'] == 2 * trained


def test_training_with_a_budget_gives_the_same_weights(
    run_training: RunTraining, tmp_path: Path
) -> None:
    options: dict[str, Any] = dict(
        train_cfg__gradient='exact', optim_wrapper__optimizer=dict(type='SGD', lr=1e-3)
    )
    plain = run_training(work_dir=str(tmp_path / 'plain'), **options)
    budget = run_training(
        work_dir=str(tmp_path / 'budget'), train_cfg__memory_budget='20GiB', **options
    )
    work = budget.train_loop.gradient.work
    assert work.chunk_size + work.graphs > 1
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(budget.model.state_dict()[name], value, rtol=1e-4, atol=1e-6)
    with pytest.raises(BudgetError, match='cannot be met'):
        run_training(train_cfg__memory_budget='10MiB', **options)


@pytest.mark.parametrize('gradient', ['sampled', 'exact'])
def test_the_running_peak_and_its_parts_are_logged(
    run_training: RunTraining, tmp_path: Path, gradient: str
) -> None:
    runner = run_training(
        train_cfg__gradient=gradient,
        custom_hooks=[dict(type='mmpatch.MemoryHook')],
        log_level='INFO',
        visualizer=dict(
            type='Visualizer', vis_backends=[dict(type='LocalVisBackend')], name=f'v_{gradient}'
        ),
    )
    scalars = next((tmp_path / 'run').glob('*/vis_data/scalars.json')).read_text().splitlines()
    peaks = [json.loads(line)['peak_process'] for line in scalars if 'peak_process' in line]
    assert len(peaks) == 10 and peaks == sorted(peaks) and peaks[0] > 0.2
    log = next((tmp_path / 'run').glob('*/*.log')).read_text().split('Memory of the training')[1]
    for part in (
        'process before training',
        'images (host)',
        'Z and its gradient',
        'theta1, kept',
        'theta2, kept',
        'optimizer',
    ):
        line = next(line for line in log.splitlines() if line.strip().startswith(part))
        assert line.split()[-1] in ('MiB', 'GiB')
    assert {'image', 'latent', 'theta1', 'theta2'} <= set(runner.train_loop.memory)


def test_memory_limit(run_training: RunTraining) -> None:
    """The first iteration that takes more ends the training, and says how much it took."""
    with pytest.raises(
        MemoryLimitError, match=r'takes .+ [MG]iB, more than the limit of 10 MiB \(iteration 1\)'
    ):
        run_training(custom_hooks=[dict(type='mmpatch.MemoryHook', limit='10MiB')])
    run_training(custom_hooks=[dict(type='mmpatch.MemoryHook', limit='1TiB')])
