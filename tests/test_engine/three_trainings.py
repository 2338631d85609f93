"""One of some processes that train: whole, resumed in its middle, and with a NaN."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import mmengine.runner.runner
import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS
from mmengine.runner import Runner
from torch.utils.data import Dataset

import mmpatch.engine
import mmpatch.models  # noqa: F401
from mmpatch.engine.stepper import NonFiniteLossError
from mmpatch.testing.tiny_detector import detector_cfg, image, sample


@DATASETS.register_module()
class Pictures(Dataset):  # type: ignore[type-arg]
    """Six images, three of them for each process."""

    metainfo = dict(classes=('a', 'b', 'c'))

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict[str, Any]:
        data = sample(100, 128, 4, seed=index, double=False)
        return dict(inputs=image(100, 128, seed=index), data_samples=data)


@HOOKS.register_module()
class Poison(Hook):
    """Spoils the second image of the second process."""

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter == 1 and get_rank() == 1:
            data_batch['inputs'][0] = data_batch['inputs'][0].float() * float('nan')


def train(
    work_dir: Path,
    load_from: Path | None = None,
    hooks: tuple[str, ...] = (),
    parallel: str | dict[str, int] = 'batches',
    gradient: str = 'sampled',
) -> None:
    """Three iterations, with a step after the second one and after the third one."""
    cfg = dict(
        model=detector_cfg(patch_size=64),
        train_dataloader=dict(
            batch_size=1,
            num_workers=0,
            dataset=dict(type='Pictures'),
            sampler=dict(type='InfiniteSampler', shuffle=False),
        ),
        train_cfg=dict(
            type='mmpatch.PatchGDIterTrainLoop',
            max_iters=3,
            sampling_rate=0.5,
            inner_iterations=1,
            gradient=gradient,
            parallel=parallel,
        ),
        optim_wrapper=dict(
            type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1), accumulative_counts=2
        ),
        default_hooks=dict(
            checkpoint=dict(
                type='mmpatch.SafeCheckpointHook', interval=1, by_epoch=False, max_keep_ckpts=-1
            )
        ),
        custom_hooks=[dict(type=hook) for hook in ('EMAHook', *hooks)],
        randomness=dict(seed=0),
        default_scope='mmdet',
        log_level='WARNING',
        work_dir=str(work_dir),
        experiment_name=work_dir.name,  # mmengine keeps what it logs by it
        load_from=load_from and str(load_from),
        resume=load_from is not None,
    )
    Runner.from_cfg(Config(cfg)).train()


def main(folder: Path, shared: str = '', start: str = '') -> None:
    """Train into folders of their own.

    Args:
        folder: Where to.
        shared: How the ranks share patches, as JSON, in place of three trainings with batches of
            their own: a training by each gradient.
        start: Folder with such trainings, to resume from in their middle as well.
    """
    register_all_modules()
    torch.set_num_threads(1)
    mmengine.runner.runner.collect_env = dict  # asks compilers; slow
    torch.distributed.init_process_group('gloo')
    if shared:
        parallel = json.loads(shared)
        for gradient in ('sampled', 'exact'):
            train(folder / gradient, parallel=parallel, gradient=gradient)
            if start:
                middle = Path(start) / gradient / 'iter_1.pth'
                train(folder / f'{gradient}-resumed', middle, parallel=parallel, gradient=gradient)
    else:
        train(folder / 'whole')
        train(folder / 'resumed', folder / 'whole' / 'iter_1.pth')
        try:
            train(folder / 'poisoned', hooks=('Poison',))
        except NonFiniteLossError as error:
            print('NonFiniteLossError', error)  # noqa: T201
    torch.distributed.destroy_process_group()


if __name__ == '__main__':
    main(Path(sys.argv[1]), *sys.argv[2:])
