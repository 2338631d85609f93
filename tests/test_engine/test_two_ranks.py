"""Whole trainings of two processes: interrupted between two steps, and with a NaN on one rank."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

WORKER = """
import sys, torch
from mmdet.utils import register_all_modules
register_all_modules()
import mmpatch.engine, mmpatch.models
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS
from mmengine.runner import Runner
from mmpatch.engine.stepper import NonFiniteLossError
from mmpatch.testing.tiny_detector import detector_cfg, image, sample

torch.set_num_threads(1)
torch.distributed.init_process_group('gloo')
work_dir, load_from, poison = sys.argv[1:4]

@DATASETS.register_module()
class Pictures(torch.utils.data.Dataset):
    metainfo = dict(classes=('a', 'b', 'c'))

    def __len__(self):
        return 6

    def __getitem__(self, index):
        data = sample(100, 128, 4, seed=index, double=False)
        return dict(inputs=image(100, 128, seed=index), data_samples=data)

@HOOKS.register_module()
class Poison(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if poison == 'yes' and runner.iter == 1 and get_rank() == 1:
            data_batch['inputs'][0] = data_batch['inputs'][0].float() * float('nan')

runner = Runner.from_cfg(Config(dict(
    model=detector_cfg(patch_size=64),
    train_dataloader=dict(batch_size=1, num_workers=0, dataset=dict(type='Pictures'),
                          sampler=dict(type='InfiniteSampler', shuffle=False)),
    train_cfg=dict(type='mmpatch.PatchGDIterTrainLoop', max_iters=3, sampling_rate=0.5,
                   inner_iterations=1),
    optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1),
                       accumulative_counts=2),
    default_hooks=dict(checkpoint=dict(type='mmpatch.SafeCheckpointHook', interval=1,
                                       by_epoch=False, max_keep_ckpts=-1)),
    custom_hooks=[dict(type='Poison')],
    randomness=dict(seed=0), default_scope='mmdet', log_level='WARNING', work_dir=work_dir,
    load_from=load_from or None, resume=bool(load_from),
)))
try:
    runner.train()
except NonFiniteLossError as error:
    print('NonFiniteLossError', error, flush=True)
"""


def train(work_dir: Path, load_from: Path | str = '', poison: str = 'no') -> list[str]:
    """Run two processes; what each of them printed."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    processes = [
        subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-c', WORKER, str(work_dir), str(load_from), poison],
            env={
                **os.environ,
                'WORLD_SIZE': '2',
                'RANK': str(rank),
                'LOCAL_RANK': str(rank),
                'MASTER_ADDR': '127.0.0.1',
                'MASTER_PORT': str(port),
                'PYTHONPATH': str(Path(__file__).parents[2]),
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    return said


def test_gradients_of_all_ranks_that_wait_for_a_step_survive(tmp_path: Path) -> None:
    train(tmp_path / 'whole')
    train(tmp_path / 'resumed', tmp_path / 'whole' / 'iter_1.pth')
    whole, resumed = (
        torch.load(tmp_path / name / 'iter_3.pth', weights_only=False)['state_dict']
        for name in ('whole', 'resumed')
    )
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, rtol=1e-6, atol=1e-8, msg=name)


def test_a_nan_on_another_rank_saves_the_last_good_weights(tmp_path: Path) -> None:
    said = train(tmp_path, poison='yes')
    assert 'the loss of another process is not finite' in said[0]
    assert 'the loss is nan' in said[1]
    saved = torch.load(tmp_path / 'last_good.pth', weights_only=False)
    assert saved['meta']['iter'] == 1
    assert all(v.isfinite().all() for v in saved['state_dict'].values() if v.is_floating_point())
