"""Small seeded segmentors and label maps for tests."""

from __future__ import annotations

import copy
import logging
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmpatch.benchmark.models import PATCH_SETTINGS

NORM = dict(type='GN', num_groups=4, requires_grad=True)

UNET = dict(
    backbone=dict(
        type='UNet',
        in_channels=3,
        base_channels=4,
        num_stages=3,
        strides=(1, 1, 1),
        enc_num_convs=(1, 1, 1),
        dec_num_convs=(1, 1),
        downsamples=(True, True),
        enc_dilations=(1, 1, 1),
        dec_dilations=(1, 1),
        norm_cfg=NORM,
    ),
    decode_head=dict(type='FCNHead', in_channels=4, in_index=2, num_convs=0, concat_input=False),
)
DEEPLABV3 = dict(
    backbone=dict(
        type='ResNetV1c',
        depth=18,
        stem_channels=8,
        base_channels=8,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        dilations=(1, 1, 2, 4),
        strides=(1, 2, 1, 1),
        norm_cfg=NORM,
    ),
    decode_head=dict(type='ASPPHead', in_channels=64, in_index=3, dilations=(1, 2)),
)


def segmentor_cfg(
    patch_size: int = 64, base: dict[str, Any] = UNET, classes: int = 1, **overrides: Any
) -> dict[str, Any]:
    """A small patch-wise segmentor.

    Args:
        patch_size: Side of a patch [px].
        base: Backbone and decode head, :data:`UNET` or :data:`DEEPLABV3`.
        classes: 1 for a binary mask.
        overrides: Keys of the model; ``head`` updates its decode head.
    """
    cfg: dict[str, Any] = copy.deepcopy(base)
    cfg['decode_head'].update(
        channels=8 if base is DEEPLABV3 else 4,
        num_classes=max(classes, 2),
        out_channels=classes,
        threshold=0.5 if classes == 1 else None,
        norm_cfg=NORM,
        dropout_ratio=0.0,
        loss_decode=[
            dict(type='CrossEntropyLoss', use_sigmoid=classes == 1, avg_non_ignore=True),
            dict(type='mmpatch.PatchDiceLoss'),
        ],
    )
    cfg['decode_head'].update(overrides.pop('head', {}))
    cfg.update(
        type='mmpatch.PatchSegmentor',
        data_preprocessor=dict(
            type='mmpatch.PatchSegDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
        patch_size=patch_size,
    )
    cfg.update(overrides)
    return cfg


def stock_segmentor_cfg(**kwargs: Any) -> dict[str, Any]:
    """The stock segmentor that a patch-wise one is made of."""
    cfg = segmentor_cfg(**kwargs)
    for key in PATCH_SETTINGS:
        cfg.pop(key, None)
    return {
        **cfg,
        'type': 'EncoderDecoder',
        'data_preprocessor': {
            **cfg['data_preprocessor'],
            'type': 'SegDataPreProcessor',
            'size_divisor': 16,
        },
    }


def build_segmentor(seed: int = 0, double: bool = True, **kwargs: Any) -> nn.Module:
    """The model of :func:`segmentor_cfg`."""
    return build(segmentor_cfg(**kwargs), seed, double)


def build(cfg: dict[str, Any], seed: int = 0, double: bool = True) -> nn.Module:
    """Build and initialise a segmentor."""
    torch.manual_seed(seed)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model: nn.Module = MODELS.build(ConfigDict(copy.deepcopy(cfg)))
    logging.disable(logging.INFO)  # mmengine logs how each parameter was initialised
    model.init_weights()  # type: ignore[operator]
    logging.disable(logging.NOTSET)
    return model.double() if double else model


def sample(height: int, width: int, classes: int = 1, seed: int = 0) -> SegDataSample:
    """Labels of an image: seeded blobs of all classes, and a strip that is ignored."""
    generator = torch.Generator().manual_seed(seed + 1)
    count = max(classes, 2)
    coarse = torch.rand(1, count, 7, 7, generator=generator)
    scores = nn.functional.interpolate(coarse, size=(height, width), mode='bilinear')
    labels: Tensor = scores.argmax(dim=1)
    labels[:, :5, : width // 2] = 255
    data_sample = SegDataSample(
        metainfo=dict(
            img_shape=(height, width),
            ori_shape=(height, width),
            pad_shape=(height, width),
            img_path=f'image_{seed}.png',
        )
    )
    data_sample.gt_sem_seg = PixelData(data=labels)
    return data_sample
