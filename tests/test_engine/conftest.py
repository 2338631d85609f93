"""A runner for the train loops on synthetic images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmpatch.testing.tiny_detector import detector_cfg, image, sample


@DATASETS.register_module(force=True)
class SyntheticDetection(Dataset):  # type: ignore[type-arg]
    """Images of two sizes with a few boxes; image ``empty`` has none."""

    metainfo = dict(classes=('a', 'b', 'c'))

    def __init__(self, length: int = 5, empty: int = 2, augment: bool = False) -> None:
        self.length, self.empty, self.augment = length, empty, augment

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        height, width = (130, 100) if index % 2 else (100, 128)
        picture = image(height, width, seed=index)
        if self.augment and torch.rand(()) < 0.5:
            picture = picture.flip(2)
        objects = 0 if index == self.empty else 4
        data = sample(height, width, objects, seed=index, double=False)
        return dict(inputs=picture, data_samples=data)


@pytest.fixture
def run_training(tmp_path: Path) -> Callable[..., Runner]:
    """Train a tiny detector; keywords are config keys, ``__`` for dots; a whole key replaces."""

    def run(**options: Any) -> Runner:
        cfg = Config(
            dict(
                model=detector_cfg(patch_size=64),
                train_dataloader=dict(
                    batch_size=1,
                    num_workers=0,
                    sampler=dict(type='DefaultSampler', shuffle=True),
                    dataset=dict(type='SyntheticDetection'),
                ),
                train_cfg=dict(type='mmpatch.PatchGDTrainLoop', max_epochs=2, sampling_rate=0.5),
                optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3)),
                default_hooks=dict(
                    logger=dict(type='LoggerHook', interval=1),
                    checkpoint=dict(type='mmpatch.SafeCheckpointHook', interval=1),
                ),
                custom_hooks=[dict(type='mmpatch.CheckpointGuardHook')],
                randomness=dict(seed=0),
                default_scope='mmdet',
                log_level='WARNING',
                work_dir=str(tmp_path / 'run'),
                experiment_name=uuid4().hex,  # mmengine keeps visualizers by it
            )
        )
        for key, value in options.items():
            if '__' in key:
                cfg.merge_from_dict({key.replace('__', '.'): value})
            else:
                cfg[key] = value
        runner = Runner.from_cfg(cfg)
        runner.train()
        return runner

    return run
