"""Train a model from a config, patch-wise or not.

python tools/train.py configs/patch_fcos_yellowstone.py
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from mmpatch.utils import check_weights, load_config

#: Epochs or iterations of a training that a budget ends.
NO_END = 10**9


def parse_args() -> argparse.Namespace:
    """Read the command line; the flags are mmdet's."""
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='train config file path')
    parser.add_argument('--work-dir', help='the dir to save logs and models')
    parser.add_argument(
        '--amp',
        action='store_true',
        help='train in mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU',
    )
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate to the batch size'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint, or without a value from the latest of the work dir',
    )
    parser.add_argument(
        '--memory-budget',
        help='memory that training may take, such as 4GiB: of the GPU, or of the process on a CPU; '
        'patches go through the model in chunks that keep it, with the same result',
    )
    parser.add_argument(
        '--memory-limit',
        help='end the training with an error once it has taken more than this, such as 4GiB, and say '
        'how much; a patch-wise training gets it as its memory budget as well',
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        '--minutes',
        type=float,
        help="train for this time in place of the config's epochs or iterations; the learning rate "
        'warms up and falls to zero within it',
    )
    budget.add_argument(
        '--steps', type=int, help='the same for a number of optimizer steps, in place of a time'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='override settings of the config, e.g. train_cfg.max_epochs=1 model.patch_size=256',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher; see tools/dist_train.sh',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def set_budget(cfg: Config, budget: dict[str, Any]) -> None:
    """Let a hook end the training, and nothing else."""
    unit = 'max_iters' if 'max_iters' in cfg.train_cfg else 'max_epochs'
    cfg.train_cfg[unit] = NO_END
    cfg.param_scheduler = None
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), budget]


def report_memory(cfg: Config, limit: str | None) -> None:
    """Let the training report its memory; fit it into the limit if it can be, else let it end."""
    if limit is not None and 'PatchGD' in str(cfg.train_cfg.get('type')):
        cfg.train_cfg.setdefault('memory_budget', limit)
    others = [h for h in cfg.get('custom_hooks') or [] if h['type'] != 'mmpatch.MemoryHook']
    cfg.custom_hooks = [*others, dict(type='mmpatch.MemoryHook', limit=limit)]


def main() -> None:
    """Merge config and command line, check, train."""
    args = parse_args()
    cfg = load_config(
        args.config, work_dir=args.work_dir, launcher=args.launcher, options=args.cfg_options
    )
    check_weights(cfg)
    if args.amp:
        cfg.optim_wrapper.type = (
            'AmpOptimWrapper' if torch.cuda.is_available() else 'mmpatch.BF16OptimWrapper'
        )
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise ValueError(
                '--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config'
            )
        cfg.auto_scale_lr.enable = True
    if args.memory_budget is not None:
        if 'PatchGD' not in str(cfg.train_cfg.get('type')):
            raise ValueError(
                '--memory-budget needs a patch-wise train loop, such as mmpatch.PatchGDTrainLoop; '
                f'the config has {cfg.train_cfg.get("type", "by_epoch=...")}'
            )
        cfg.train_cfg.memory_budget = args.memory_budget
    report_memory(cfg, args.memory_limit)
    if args.minutes is not None:
        set_budget(cfg, dict(type='mmpatch.TimeBudgetHook', minutes=args.minutes))
    if args.steps is not None:
        set_budget(cfg, dict(type='mmpatch.StepBudgetHook', steps=args.steps))
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    Runner.from_cfg(cfg).train()


if __name__ == '__main__':
    main()
