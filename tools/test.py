"""Test a trained model on whole images, and draw what it finds.

python tools/test.py CONFIG CHECKPOINT --show-dir drawn
"""

from __future__ import annotations

import argparse
import os

from mmengine.config import DictAction
from mmengine.evaluator import DumpResults
from mmengine.runner import Runner

from mmpatch.utils import load_config


def parse_args() -> argparse.Namespace:
    """Read the command line; the flags are mmdet's."""
    parser = argparse.ArgumentParser(description='Test (and evaluate) a model')
    parser.add_argument('config', help='test config file path')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='the dir to save the evaluation metrics')
    parser.add_argument('--out', help='dump predictions to this .pkl file')
    parser.add_argument('--show', action='store_true', help='show predictions in a window')
    parser.add_argument('--show-dir', help='save drawn predictions to WORK_DIR/TIMESTAMP/SHOW_DIR')
    parser.add_argument('--wait-time', type=float, default=2, help='the interval of show (s)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='override settings of the config, e.g. model.chunk_size=1',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher; see tools/dist_test.sh',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    if args.out is not None and not args.out.endswith(('.pkl', '.pickle')):
        parser.error(f'--out must end in .pkl or .pickle, got {args.out}')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main() -> None:
    """Merge config and command line, check, test."""
    args = parse_args()
    cfg = load_config(
        args.config, work_dir=args.work_dir, launcher=args.launcher, options=args.cfg_options
    )
    # The config has imported mmpatch, and mmpatch mmdet, without what mmdet prints then.
    from mmdet.engine.hooks.utils import trigger_visualization_hook
    from mmdet.evaluation import DumpDetResults

    cfg.load_from = args.checkpoint
    cfg.resume = False
    if args.show or args.show_dir:
        cfg = trigger_visualization_hook(cfg, args)
    runner = Runner.from_cfg(cfg)
    if args.out is not None:
        dump = DumpDetResults if 'bbox_head' in cfg.model else DumpResults
        runner.test_evaluator.metrics.append(dump(out_file_path=args.out))
    runner.test()


if __name__ == '__main__':
    main()
