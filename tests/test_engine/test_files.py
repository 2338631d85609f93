"""Training and validation on images that stay in their files, through a whole runner."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmpatch.testing.fake_data import make_mask_tree
from mmpatch.testing.tiny_classifier import classifier_cfg
from mmpatch.testing.tiny_segmentor import segmentor_cfg


def train(folder: Path, model: dict[str, Any], scope: str, data: Any, metric: str) -> Runner:
    """One epoch with validation; ``data`` gives the data set of a split."""

    def loader(split: str) -> dict[str, Any]:
        sampler = dict(type='DefaultSampler', shuffle=False)
        return dict(batch_size=1, num_workers=0, sampler=sampler, dataset=data(split))

    cfg = Config(
        dict(
            default_scope=scope,
            work_dir=str(folder / 'run'),
            experiment_name=uuid4().hex,  # mmengine keeps visualizers by it
            model=model,
            train_dataloader=loader('train'),
            val_dataloader=loader('test'),
            train_cfg=dict(type='mmpatch.PatchGDTrainLoop', max_epochs=1, sampling_rate=0.5),
            val_cfg=dict(type='ValLoop'),
            val_evaluator=dict(type=metric),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3)),
            custom_hooks=[dict(type='mmpatch.MemoryHook')],
            log_level='ERROR',
        )
    )
    with DefaultScope.overwrite_default_scope(scope):
        runner = Runner.from_cfg(cfg)
        runner.train()
    return runner


def test_segmentation(tmp_path: Path) -> None:
    make_mask_tree(tmp_path, image_size=(150, 100))

    def data(split: str) -> dict[str, Any]:
        return dict(
            type='mmpatch.PatchSegDataset',
            data_root=str(tmp_path / split),
            data_prefix=dict(img_path='images', seg_map_path='masks'),
            img_suffix='.png',
            metainfo=dict(classes=('background', 'thing')),
            pipeline=[dict(type='mmpatch.PackRasterScene')],
        )

    runner = train(tmp_path, segmentor_cfg(), 'mmseg', data, 'mmpatch.PatchSegMetric')
    assert runner.train_loop.memory['image'] == 0  # none of it is in memory
    assert 0 <= runner.message_hub.get_scalar('val/seg/pixel/Acc').current() <= 100


def test_classification(tmp_path: Path) -> None:
    make_mask_tree(tmp_path, image_size=(150, 100))
    for split in ('train', 'test'):
        (tmp_path / f'{split}.csv').write_text('id,label\n0,3\n1,0\n')

    def data(split: str) -> dict[str, Any]:
        return dict(
            type='mmpatch.PatchCsvDataset',
            ann_file=f'{split}.csv',
            data_root=str(tmp_path),
            data_prefix=f'{split}/images',
            metainfo=dict(classes=tuple('abcde')),
            pipeline=[dict(type='mmpatch.PackRasterSlide')],
        )

    runner = train(tmp_path, classifier_cfg(), 'mmpretrain', data, 'mmpatch.WeightedKappa')
    assert runner.train_loop.memory['image'] == 0
    assert -1 <= runner.message_hub.get_scalar('val/cls/kappa').current() <= 1
