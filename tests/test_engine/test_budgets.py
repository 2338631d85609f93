"""A time or a number of steps ends the training, and the schedule fits into it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook, IterTimerHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch.optim.optimizer import register_optimizer_step_post_hook

from mmpatch.engine.hooks import StepBudgetHook, TimeBudgetHook

RunTraining = Callable[..., Runner]
ROOT = Path(__file__).parents[2]


class ThreeSecondsAnIteration(IterTimerHook):
    """A timer that does not look at the clock."""

    def _after_iter(self, runner: Any, *args: Any, mode: str = 'train', **kwargs: Any) -> None:
        super()._after_iter(runner, *args, mode=mode, **kwargs)
        runner.message_hub.get_scalar(f'{mode}/time')._log_history[-1] = 3.0


class Interrupt(Hook):
    """Stops a process in its sixth iteration."""

    priority = 'LOWEST'

    def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        if runner.iter == 5:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def timers() -> Any:
    hooks = {'ThreeSecondsAnIteration': ThreeSecondsAnIteration, 'InterruptHook': Interrupt}
    for name, hook in hooks.items():
        HOOKS.register_module(name=name, module=hook, force=True)
    yield
    for name in hooks:
        HOOKS.module_dict.pop(name)


@pytest.fixture
def rates() -> Any:
    """Learning rates of all optimizer steps."""
    found: list[float] = []
    handle = register_optimizer_step_post_hook(
        lambda optimizer, *_: found.append(optimizer.param_groups[0]['lr'])
    )
    yield found
    handle.remove()


TIME = dict(type='mmpatch.TimeBudgetHook', minutes=24 / 60, warmup=0.25)
STEPS = dict(type='mmpatch.StepBudgetHook', steps=8, warmup=0.25)
LOOPS = [
    'mmpatch.PatchGDTrainLoop',
    'mmpatch.PatchGDIterTrainLoop',
    'EpochBasedTrainLoop',
    'IterBasedTrainLoop',
]


def settings(loop: str, budget: dict[str, Any] = TIME, **options: Any) -> dict[str, Any]:
    by_epoch = 'Iter' not in loop
    return dict(
        train_cfg={
            'type': loop,
            'max_epochs' if by_epoch else 'max_iters': 1000,
            **(dict(inner_iterations=1) if 'PatchGD' in loop else {}),
        },
        default_hooks=dict(
            timer=dict(type='ThreeSecondsAnIteration'),
            checkpoint=dict(type='CheckpointHook', interval=100, by_epoch=by_epoch),
            logger=dict(type='LoggerHook', interval=100),
        ),
        custom_hooks=[budget],
        **options,
    )


@pytest.mark.parametrize('loop', LOOPS)
def test_the_time_ends_the_training(
    run_training: RunTraining, loop: str, rates: list[float]
) -> None:
    runner = run_training(**settings(loop))
    assert runner.iter == 8  # of 3 s; an epoch has 5
    (group,) = runner.optim_wrapper.optimizer.param_groups
    assert group['initial_lr'] == 1e-3
    expected = 1e-3 * TimeBudgetHook(24 / 60, 0.25).factor(21 / 24)
    assert rates[-1] == pytest.approx(expected, rel=0.5)  # less the moment until the step
    last = (Path(runner.work_dir) / 'last_checkpoint').read_text()
    meta = torch.load(last, weights_only=False)['meta']
    assert meta['iter'] == 8 and meta['epoch'] == (2 if 'Iter' not in loop else 0)


@pytest.mark.parametrize('loop', LOOPS)
def test_steps_end_the_training(run_training: RunTraining, loop: str, rates: list[float]) -> None:
    runner = run_training(**settings(loop, STEPS))
    assert runner.iter == 8
    hook = StepBudgetHook(8, 0.25)
    assert rates == pytest.approx([1e-3 * hook.factor(step / 8) for step in range(8)])
    logged = runner.message_hub.get_scalar('train/lr').data[0]
    assert logged.tolist() == pytest.approx(rates)


def test_steps_that_are_up_within_a_batch(run_training: RunTraining, rates: list[float]) -> None:
    options = settings('mmpatch.PatchGDTrainLoop', {**STEPS, 'steps': 3})
    options['train_cfg']['inner_iterations'] = 2
    runner = run_training(**options)
    assert runner.iter == 2 and len(rates) == 4 and rates[3] == 0
    assert runner.message_hub.get_info('StepBudgetHook.spent') == 4
    assert runner.message_hub.get_info('eta') == 0


def test_each_step_of_a_batch_has_its_learning_rate(
    run_training: RunTraining, monkeypatch: pytest.MonkeyPatch, rates: list[float]
) -> None:
    now = iter(range(1000))
    monkeypatch.setattr('mmpatch.engine.hooks.time_budget_hook.perf_counter', lambda: next(now))
    options = settings('mmpatch.PatchGDTrainLoop')
    options['train_cfg']['inner_iterations'] = 2
    run_training(**options)
    hook = TimeBudgetHook(24 / 60, 0.25)
    seconds = [3 * batch + step for batch in range(8) for step in (1, 2)]
    assert rates == pytest.approx([1e-3 * hook.factor(second / 24) for second in seconds])


@pytest.mark.parametrize('budget', [TIME, STEPS], ids=['time', 'steps'])
def test_what_was_spent_before_an_interruption_counts(
    run_training: RunTraining, budget: dict[str, Any]
) -> None:
    options = settings('mmpatch.PatchGDTrainLoop', budget)
    options['default_hooks']['checkpoint']['interval'] = 1
    stopped = {**options, 'custom_hooks': [*options['custom_hooks'], dict(type='InterruptHook')]}
    with pytest.raises(KeyboardInterrupt):
        run_training(**stopped)
    assert run_training(resume=True, **options).iter == 8


@pytest.mark.parametrize('loop', LOOPS)
@pytest.mark.parametrize('budget', [TIME, STEPS], ids=['time', 'steps'])
def test_a_training_that_had_ended_ends_at_once_when_resumed(
    run_training: RunTraining, budget: dict[str, Any], loop: str, rates: list[float]
) -> None:
    options = settings(loop, budget)
    before = run_training(**options)
    made = len(rates)
    again = run_training(resume=True, **options)
    assert len(rates) == made and (again.iter, again.epoch) == (before.iter, before.epoch)


def test_a_time_of_hours_is_summed_with_the_milliseconds() -> None:
    hook = TimeBudgetHook(minutes=1000)
    timer = SimpleNamespace(current=lambda: 0.001)
    hub = SimpleNamespace(get_scalar=lambda name: timer)
    hook.spent = 9 * 3600.0
    for _ in range(1000):
        hook.spent = hook.spent_after(SimpleNamespace(message_hub=hub))
    assert hook.spent == pytest.approx(9 * 3600 + 1, abs=1e-6)


WORKER = """
import json, os, sys, time
import torch
import torch.distributed as dist
from mmpatch.engine.hooks import TimeBudgetHook

dist.init_process_group('gloo')
hook = TimeBudgetHook(minutes=1 / 60)
weight = torch.nn.Parameter(torch.ones(1))
optimizer = torch.optim.SGD([weight], lr=1.0)
optimizer.register_step_pre_hook(hook._set_rate)
rates = []
for step in range(3):
    hook.before_train_iter(None, step)
    time.sleep(0.1 * dist.get_rank())  # the second process is slower
    for _ in range(2):
        weight.grad = torch.ones(1)
        optimizer.step()
        rates.append(optimizer.param_groups[0]['lr'])
with open(sys.argv[1] + str(dist.get_rank()), 'w') as stream:
    json.dump([rates, float(weight)], stream)
dist.destroy_process_group()
"""


def test_all_processes_have_the_same_learning_rates(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    places = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), WORLD_SIZE='2')
    workers = [
        subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-c', WORKER, str(tmp_path / 'rank')],
            env={**os.environ, **places, 'RANK': str(rank), 'PYTHONPATH': str(ROOT)},
        )
        for rank in (0, 1)
    ]
    assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    first, second = (json.loads((tmp_path / f'rank{rank}').read_text()) for rank in (0, 1))
    assert first == second and len(set(first[0])) > 1


def test_the_schedule_rises_and_falls() -> None:
    hook = TimeBudgetHook(1, warmup=0.1)
    factors = [hook.factor(i / 20) for i in range(21)]
    assert factors[:3] == pytest.approx([0.01, 0.5, 1.0])
    assert factors[2:] == sorted(factors[2:], reverse=True) and factors[-1] == pytest.approx(0)


def test_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match='minutes must be positive'):
        TimeBudgetHook(0)
    with pytest.raises(ValueError, match='steps must be positive'):
        StepBudgetHook(0)
    with pytest.raises(ValueError, match='warmup must be in'):
        TimeBudgetHook(1, warmup=1)
    with pytest.raises(ValueError, match='set param_scheduler=None'):
        TimeBudgetHook(1).before_train(SimpleNamespace(param_schedulers=[object()]))
