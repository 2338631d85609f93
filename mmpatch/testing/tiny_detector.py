"""Small seeded models and data for tests."""

from __future__ import annotations

import copy
import logging
from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmpatch.benchmark.models import stock_cfg

STRIDES = (8, 16, 32)
NUM_CLASSES = 3


def detector_cfg(patch_size: int = 64, **overrides: Any) -> dict[str, Any]:
    """A small patch-wise FCOS: ResNet18, three levels, GroupNorm in neck and head.

    Args:
        patch_size: Side of a patch [px].
        overrides: Keys of the model; ``head`` updates its bbox_head.
    """
    head = dict(
        type='mmpatch.PatchFCOSHead',
        num_classes=NUM_CLASSES,
        in_channels=16,
        feat_channels=16,
        stacked_convs=1,
        strides=STRIDES,
        regress_ranges=((-1, 32), (32, 64), (64, 1e8)),
        norm_cfg=dict(type='GN', num_groups=4, requires_grad=True),
        norm_on_bbox=True,
        centerness_on_reg=True,
        center_sampling=True,
    )
    head.update(overrides.pop('head', {}))
    cfg = dict(
        type='mmpatch.PatchDetector',
        data_preprocessor=dict(
            type='mmpatch.PatchDetDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
        ),
        backbone=dict(
            type='ResNet',
            depth=18,
            base_channels=8,
            num_stages=4,
            out_indices=(1, 2, 3),
            norm_cfg=dict(type='BN', requires_grad=True),
            norm_eval=True,
        ),
        neck=dict(type='FPN', in_channels=[16, 32, 64], out_channels=16, num_outs=3),
        bbox_head=head,
        test_cfg=dict(
            nms_pre=1000,
            score_thr=0.05,
            nms=dict(type='nms', iou_threshold=0.5),
            max_per_img=1000,
        ),
        patch_size=patch_size,
        # At these sizes both frames then have objects of their own.
        global_frame=dict(min_cells=3.0, max_share=0.75),
    )
    cfg.update(overrides)
    return cfg


def build_detector(seed: int = 0, double: bool = True, **kwargs: Any) -> nn.Module:
    """The model of :func:`detector_cfg` with weights that make all of its paths count."""
    return build(detector_cfg(**kwargs), seed, double)


def build_stock_detector(seed: int = 0, double: bool = True, **kwargs: Any) -> nn.Module:
    """The model of :func:`stock_detector_cfg`."""
    return build(stock_detector_cfg(**kwargs), seed, double)


def stock_detector_cfg(**kwargs: Any) -> dict[str, Any]:
    """Stock FCOS with the settings of :func:`detector_cfg`."""
    return stock_cfg(detector_cfg(**kwargs))


def build(cfg: dict[str, Any], seed: int = 0, double: bool = True) -> nn.Module:
    """Build and initialise a model; weights of the last layers large enough for detections."""
    torch.manual_seed(seed)
    model = MODELS.build(ConfigDict(copy.deepcopy(cfg)))
    logging.disable(logging.INFO)  # mmengine logs how each parameter was initialised
    model.init_weights()
    logging.disable(logging.NOTSET)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith('bbox_head.conv') or 'aggregators' in name or '.bn2.' in name:
                parameter += torch.randn_like(parameter) * 0.05
            if name == 'bbox_head.conv_cls.bias':
                parameter += 3  # scores high enough to be detections
    return model.double() if double else model


def image(height: int, width: int, seed: int = 0) -> Tensor:
    """A seeded image (3, H, W), uint8, smooth enough to have structure at all scales."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 6, 6, generator=generator)
    fine = torch.rand(1, 3, height // 3, width // 3, generator=generator)
    parts = [
        nn.functional.interpolate(x, size=(height, width), mode='bilinear', align_corners=False)
        for x in (coarse, fine)
    ]
    return ((parts[0] * 0.6 + parts[1] * 0.4)[0] * 255).byte()


def sample(
    height: int, width: int, objects: int = 6, seed: int = 0, ignored: int = 0, double: bool = True
) -> DetDataSample:
    """Labels of an image: seeded boxes of 8 to 60 px inside of it."""
    generator = torch.Generator().manual_seed(seed + 1)
    dtype = torch.float64 if double else torch.float32

    def instances(count: int) -> InstanceData:
        size = torch.rand(count, 2, generator=generator) * 52 + 8
        room = torch.tensor([width, height]) - size
        corner = torch.rand(count, 2, generator=generator) * room
        return InstanceData(
            bboxes=torch.cat((corner, corner + size), dim=1).to(dtype),
            labels=torch.randint(NUM_CLASSES, (count,), generator=generator),
        )

    data_sample = DetDataSample(
        metainfo=dict(
            img_shape=(height, width),
            ori_shape=(height, width),
            pad_shape=(height, width),
            batch_input_shape=(height, width),
            scale_factor=(1.0, 1.0),
            img_path=f'image_{seed}.png',
        )
    )
    data_sample.gt_instances = instances(objects)
    data_sample.ignored_instances = instances(ignored)
    return data_sample


def gradients(model: nn.Module) -> dict[str, Tensor]:
    """Copies of all gradients by name; parameters without one are left out."""
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
