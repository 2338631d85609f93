"""The train loops: steps, draws, gradients, precision, interruption."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor

from mmpatch.engine.stepper import NonFiniteLossError
from mmpatch.patching import PatchSampler
from mmpatch.testing.tiny_detector import detector_cfg, stock_detector_cfg

RunTraining = Callable[..., Runner]


@HOOKS.register_module(force=True)
class CountSteps(Hook):
    """Counts optimizer steps and keeps what was logged."""

    def before_train(self, runner: Runner) -> None:
        self.steps, self.outputs = 0, []
        optimizer = runner.optim_wrapper.optimizer
        original = optimizer.step

        def step(*args: Any, **kwargs: Any) -> Any:
            self.steps += 1
            return original(*args, **kwargs)

        optimizer.step = step

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.outputs.append(outputs)


def hook_of(runner: Runner, kind: type[Hook] = CountSteps) -> Any:
    return next(hook for hook in runner.hooks if isinstance(hook, kind))


def weights(runner: Runner) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in runner.model.state_dict().items()}


@pytest.mark.parametrize(('inner', 'counts'), [(1, 1), (2, 2), (3, 2), (2, 7), (3, 100)])
def test_optimizer_steps_follow_the_formula(
    run_training: RunTraining, inner: int, counts: int
) -> None:
    options = dict(
        train_cfg__inner_iterations=inner,
        optim_wrapper__accumulative_counts=counts,
        custom_hooks=[dict(type='CountSteps')],
    )
    runner = run_training(**options)
    schedule = runner.train_loop.schedule
    assert hook_of(runner).steps == 2 * schedule.optimizer_steps(5, counts)
    assert schedule.optimizer_steps(5, counts) == math.ceil(5 * inner / counts)
    assert all(p.grad is None for p in runner.model.parameters()), 'a remainder was lost'


def test_exact_makes_one_inner_iteration_a_batch(run_training: RunTraining) -> None:
    runner = run_training(
        train_cfg__gradient='exact',
        optim_wrapper__accumulative_counts=2,
        custom_hooks=[dict(type='CountSteps')],
    )
    assert hook_of(runner).steps == 2 * math.ceil(5 / 2)
    for outputs in hook_of(runner).outputs:
        assert {'loss', 'encode_time', 'score_time', 'replay_time'} <= set(outputs)


def test_iteration_based_loop_steps_the_remainder_at_the_end(run_training: RunTraining) -> None:
    loop = dict(
        type='mmpatch.PatchGDIterTrainLoop', max_iters=7, sampling_rate=0.5, inner_iterations=3
    )
    runner = run_training(
        train_cfg=loop,
        train_dataloader__sampler=dict(type='InfiniteSampler', shuffle=True),
        optim_wrapper__accumulative_counts=4,
        default_hooks__checkpoint__by_epoch=False,
        custom_hooks=[dict(type='CountSteps')],
    )
    assert hook_of(runner).steps == math.ceil(7 * 3 / 4)
    assert runner.iter == 7


def test_losses_and_times_are_logged(run_training: RunTraining) -> None:
    runner = run_training(custom_hooks=[dict(type='CountSteps')])
    for outputs in hook_of(runner).outputs:
        assert {'loss', 'loss_cls', 'loss_bbox', 'fill_time', 'inner_time'} <= set(outputs)
        assert math.isfinite(float(outputs['loss']))
        assert float(outputs['loss']) == pytest.approx(
            sum(float(v) for k, v in outputs.items() if k.startswith('loss_')), rel=1e-5
        )


def test_draws_are_those_of_the_sampler(run_training: RunTraining) -> None:
    runner = run_training()
    loop = runner.train_loop
    images = [torch.zeros(6, 2), torch.zeros(4, 2)]
    draws = loop.draw(images)
    expected = PatchSampler(runner.seed).draw(images, loop.schedule, epoch=2, iteration=10)
    assert len(draws) == 2 == loop.schedule.rounds
    assert all(torch.equal(a, b) for a, b in zip(draws, expected))


@pytest.mark.parametrize('gradient', ['sampled', 'exact'])
@pytest.mark.parametrize('amp', ['mmpatch.BF16OptimWrapper', 'OptimWrapper'])
def test_precision_clipping_ema_and_schedulers_work_unchanged(
    run_training: RunTraining, amp: str, gradient: str
) -> None:
    runner = run_training(
        train_cfg__gradient=gradient,
        optim_wrapper__type=amp,
        optim_wrapper__clip_grad=dict(max_norm=1.0),
        custom_hooks=[dict(type='EMAHook'), dict(type='CountSteps')],
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=5),
            dict(type='MultiStepLR', by_epoch=True, milestones=[1], gamma=0.1),
        ],
    )
    assert runner.optim_wrapper.get_lr()['lr'] == [pytest.approx(1e-4)]
    assert 'train/grad_norm' in runner.message_hub.log_scalars
    checkpoint = torch.load(
        Path(runner.work_dir) / 'epoch_2.pth', map_location='cpu', weights_only=False
    )
    assert 'ema_state_dict' in checkpoint
    assert math.isfinite(float(hook_of(runner).outputs[-1]['loss']))


@pytest.mark.parametrize('gradient', ['sampled', 'exact'])
@pytest.mark.parametrize(('loop', 'workers'), [('epochs', 0), ('iterations', 0), ('iterations', 2)])
def test_a_resumed_run_ends_with_the_weights_of_the_uninterrupted_one(
    run_training: RunTraining, tmp_path: Path, loop: str, workers: int, gradient: str
) -> None:
    options: dict[str, Any] = dict(
        train_dataloader__dataset__augment=True,
        train_dataloader__num_workers=workers,
        train_dataloader__worker_init_fn=dict(type='mmpatch.seed_worker'),
        optim_wrapper__accumulative_counts=3,
        train_cfg__inner_iterations=2,
    )
    if loop == 'iterations':
        cfg = dict(
            type='mmpatch.PatchGDIterTrainLoop', sampling_rate=0.5, inner_iterations=2, max_iters=8
        )
        options.pop('train_cfg__inner_iterations')
        options.update(
            train_cfg=cfg,
            train_dataloader__sampler=dict(type='InfiniteSampler', shuffle=True),
            default_hooks__checkpoint__by_epoch=False,
            default_hooks__checkpoint__max_keep_ckpts=-1,
        )
    else:
        options['train_cfg__max_epochs'] = 3
    if gradient == 'exact':
        options['train_cfg__gradient'] = dict(type='exact', chunk_size=2)
        options['optim_wrapper__accumulative_counts'] = 3
    whole = weights(run_training(work_dir=str(tmp_path / 'whole'), **options))
    # of sampled, 4 iterations x 2 inner ones leave gradients of 2 of 3 pending in the checkpoint
    checkpoint = 'epoch_1.pth' if loop == 'epochs' else 'iter_4.pth'
    resumed = weights(
        run_training(
            work_dir=str(tmp_path / 'resumed'),
            resume=True,
            load_from=str(tmp_path / 'whole' / checkpoint),
            **options,
        )
    )
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name


def test_a_loss_that_is_not_finite_stops_the_run(run_training: RunTraining, tmp_path: Path) -> None:
    @HOOKS.register_module(force=True)
    class Poison(Hook):
        def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any) -> None:
            if runner.iter == 3:
                self.weights = weights(runner)
                self.name = data_batch['data_samples'][0].img_path
                data_batch['data_samples'][0].gt_instances.bboxes *= float('nan')
                data_batch['inputs'][0] = data_batch['inputs'][0].float() * float('nan')

    with pytest.raises(NonFiniteLossError, match='the loss is nan on the batch of image_'):
        run_training(custom_hooks=[dict(type='Poison')])
    saved = torch.load(tmp_path / 'run' / 'last_good.pth', map_location='cpu', weights_only=False)
    assert all(
        torch.isfinite(v).all() for v in saved['state_dict'].values() if v.is_floating_point()
    )
    assert saved['meta']['iter'] == 3


def test_a_model_that_cannot_be_cut_is_refused(run_training: RunTraining) -> None:
    with pytest.raises(TypeError, match='PatchGDTrainLoop trains models that can be cut'):
        run_training(
            model=stock_detector_cfg(),
        )


@pytest.mark.parametrize(
    ('settings', 'reason'),
    [(dict(fuse=True), 'every patch reads it'), (dict(global_patch=False), 'there is none')],
)
def test_an_iteration_of_no_global_patch_is_refused(
    settings: dict[str, Any], reason: str, run_training: RunTraining
) -> None:
    with pytest.raises(ValueError, match=f'{reason}: remove train_cfg.global_iteration'):
        run_training(
            model=detector_cfg(patch_size=64, **settings), train_cfg__global_iteration=True
        )


def test_an_iteration_of_the_global_patch_is_a_step(run_training: RunTraining) -> None:
    runner = run_training(train_cfg__global_iteration=True)
    steps = runner.optim_wrapper.optimizer.state_dict()['state'][0]['step']
    assert int(steps) == 3 * runner.iter  # two draws of half of the patches, and one more


def test_unknown_gradient(run_training: RunTraining) -> None:
    with pytest.raises(ValueError, match=r"gradient must be one of 'exact', 'sampled', .*'exakt'"):
        run_training(train_cfg__gradient='exakt')
