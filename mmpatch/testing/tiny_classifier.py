"""Small seeded classifiers and labels for tests."""

from __future__ import annotations

import copy
import logging
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from mmpatch.benchmark.models import PATCH_SETTINGS

NORM = dict(type='GN', num_groups=2, requires_grad=True)
#: Channels that the tiny backbone gives.
CHANNELS = 32

CNN = dict(type='mmpatch.LatentCNN', channels=8, num_layers=1, norm_cfg=NORM)
BACKBONE = dict(
    type='ResNet', depth=18, stem_channels=4, base_channels=4, norm_cfg=NORM, out_indices=(3,)
)


def classifier_cfg(
    patch_size: int = 64,
    theta2: dict[str, Any] | None = CNN,
    fusion: str = 'add',
    classes: int = 5,
    **overrides: Any,
) -> dict[str, Any]:
    """A small patch-wise classifier.

    Args:
        patch_size: Side of a patch [px].
        theta2: :data:`CNN`, :data:`BACKBONE`, or None for the average.
        fusion: ``'add'`` or ``'concat'``.
        classes: Number of classes.
        overrides: Keys of the model.
    """
    channels = CHANNELS * (2 if fusion == 'concat' else 1)
    widths = {None: channels, 'mmpatch.LatentCNN': 8, 'ResNet': 32}
    cfg: dict[str, Any] = dict(
        type='mmpatch.PatchClassifier',
        backbone={**copy.deepcopy(BACKBONE), 'norm_cfg': NORM},
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='LinearClsHead',
            num_classes=classes,
            in_channels=widths[None if theta2 is None else theta2['type']],
            loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        ),
        data_preprocessor=dict(
            type='mmpatch.PatchClsDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            to_rgb=True,
        ),
        patch_size=patch_size,
        fusion=fusion,
    )
    if theta2 is not None:
        cfg['aggregator'] = {**copy.deepcopy(theta2), 'in_channels': channels}
    cfg.update(overrides)
    return cfg


def stock_classifier_cfg(**kwargs: Any) -> dict[str, Any]:
    """The stock classifier that a patch-wise one with the average as theta2 is made of."""
    cfg = classifier_cfg(theta2=None, **kwargs)
    for key in PATCH_SETTINGS:
        cfg.pop(key, None)
    preprocessor = {**cfg['data_preprocessor'], 'type': 'ClsDataPreprocessor'}
    return {**cfg, 'type': 'ImageClassifier', 'data_preprocessor': preprocessor}


def build_classifier(seed: int = 0, double: bool = True, **kwargs: Any) -> nn.Module:
    """The model of :func:`classifier_cfg`."""
    return build(classifier_cfg(**kwargs), seed, double)


def build(cfg: dict[str, Any], seed: int = 0, double: bool = True) -> nn.Module:
    """Build and initialise a classifier."""
    torch.manual_seed(seed)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model: nn.Module = MODELS.build(ConfigDict(copy.deepcopy(cfg)))
    logging.disable(logging.INFO)  # mmengine logs how each parameter was initialised
    model.init_weights()  # type: ignore[operator]
    logging.disable(logging.NOTSET)
    return model.double() if double else model


def sample(label: int, name: str = 'image.png') -> DataSample:
    """The label of an image."""
    return DataSample(metainfo=dict(img_path=name)).set_gt_label(label)
