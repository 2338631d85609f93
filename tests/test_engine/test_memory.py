"""Sizes, meters, the plan for a budget, and the hook that reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner

from mmpatch.engine.gradients import ExactGradient, SampledGradient
from mmpatch.engine.hooks.memory_hook import MemoryLimitError
from mmpatch.engine.memory import plan as planning
from mmpatch.engine.memory.meter import PeakMeter, SavedTensors, release_unused
from mmpatch.engine.memory.plan import BudgetError, apply_plan, plan_memory
from mmpatch.engine.memory.size import format_size, parse_size
from mmpatch.testing.tasks import TASKS
from mmpatch.utils.memory import resident_memory

from .test_gradients import context_of

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


class FixedProbe:
    """What a patch takes, as if it had been measured."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, theta1: int, theta2: int) -> None:
        def measure(context: Any, count: int, device: Any) -> Any:
            part = torch.arange(count)
            features = tuple(f.detach() for f in context.model.encode(context.batch, part))
            return features, planning._Probe(theta1 * count, theta2 * count, 1.0 * count, 0.1)

        monkeypatch.setattr(planning, '_measure', measure)
        monkeypatch.setattr(planning, 'memory_in_use', lambda device: 1000 * MIB)


@pytest.mark.parametrize(('budget', 'chunk'), [(1150, 1), (1250, 2), (2200, 7), (2600, 8)])
def test_the_largest_chunk_that_fits_is_chosen(
    monkeypatch: pytest.MonkeyPatch, budget: int, chunk: int
) -> None:
    FixedProbe(monkeypatch, 100 * MIB, 40 * MIB)
    context = context_of(TASKS[0], TASKS[0].build())
    strategy = ExactGradient()
    plan = plan_memory(context, strategy, budget * MIB)
    assert plan.chunk_size == chunk and plan.total <= budget * MIB
    apply_plan(plan, context, strategy)
    assert strategy.chunk_size == chunk and context.model.chunk_size == min(chunk, 4)
    assert f'{chunk} patch(es) with gradient at a time' in plan.table()


def test_sampled_is_planned_with_the_patches_of_a_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    FixedProbe(monkeypatch, 100 * MIB, 40 * MIB)
    draws = [torch.tensor([0, 1, 2]), torch.tensor([4, 5, 6])]
    context = context_of(TASKS[0], TASKS[0].build(), draws)
    # three patches, two global ones and theta2 at once take 620 MiB; two in a chunk 200 MiB
    assert plan_memory(context, SampledGradient(), 1750 * MIB).chunk_size == 8
    assert plan_memory(context, SampledGradient(), 1650 * MIB).chunk_size == 2


def test_a_budget_that_cannot_be_met_says_the_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    FixedProbe(monkeypatch, 100 * MIB, 40 * MIB)
    context = context_of(TASKS[0], TASKS[0].build())
    with pytest.raises(BudgetError, match=r'1.03 GiB cannot.*takes 1.0\d GiB, most of it process'):
        plan_memory(context, ExactGradient(), 1050 * MIB)


def test_a_latent_larger_than_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    FixedProbe(monkeypatch, 100 * MIB, 40 * MIB)
    monkeypatch.setattr(planning, 'available_memory', lambda: 1000)
    context = context_of(TASKS[0], TASKS[0].build())
    with pytest.raises(BudgetError, match=r'the host has only .* left: use a smaller batch'):
        plan_memory(context, ExactGradient(), 2000 * MIB)


def test_a_dry_run_leaves_no_trace() -> None:
    task = TASKS[0]
    model = task.build()
    context = context_of(task, model)
    waiting = [torch.rand_like(p) for p in model.parameters()]
    for parameter, grad in zip(model.parameters(), waiting):
        parameter.grad = grad.clone() if parameter.requires_grad else None
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.get_rng_state()
    plan = plan_memory(context, ExactGradient(), resident_memory() + 4000 * MIB)
    assert torch.equal(torch.get_rng_state(), state)
    for parameter, grad in zip(model.parameters(), waiting):
        assert not parameter.requires_grad or torch.equal(parameter.grad, grad)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert plan.seconds > 0 and dict(plan.rows)['Z and its gradient'] > 0


def test_the_optimizer_is_counted() -> None:
    context = context_of(TASKS[0], TASKS[0].build())
    trained = sum(p.nbytes for p in context.parameters if p.requires_grad)
    assert planning._optimizer_memory(context) == (trained, 0)  # SGD without momentum
    context.optim_wrapper.optimizer = torch.optim.AdamW(context.parameters)
    assert planning._optimizer_memory(context) == (trained, 2 * trained)


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
    assert budget.train_loop.gradient.chunk_size > 1
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
