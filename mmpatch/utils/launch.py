"""From the command line to a runner."""

from __future__ import annotations

import os
import warnings
from typing import Any

import torch
import torch.distributed
from mmengine.config import Config

from .config_check import check_config


def load_config(
    path: str, *, work_dir: str | None, launcher: str, options: dict[str, Any]
) -> Config:
    """Read a config, merge the command line into it and check it.

    Args:
        path: The config file.
        work_dir: Where to write; if None, the config's own or ``work_dirs/<name of the file>``.
        launcher: mmengine's launcher. Without a GPU the processes talk through gloo.
        options: Dotted keys and values that override the config.

    Raises:
        ValueError: If a key of the config is misspelt.
    """
    warnings.filterwarnings('ignore', message='torch.meshgrid')  # mmdet's calls; nothing to do
    cfg = Config.fromfile(path)
    cfg.launcher = launcher
    cfg.merge_from_dict(options)
    name = os.path.splitext(os.path.basename(path))[0]
    cfg.work_dir = work_dir or cfg.get('work_dir') or os.path.join('work_dirs', name)
    check_config(cfg)
    if launcher != 'none' and not torch.cuda.is_available():
        # mmengine's own set-up expects a GPU for every process; it skips a group that exists.
        torch.distributed.init_process_group('gloo')
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False
        )
    return cfg
