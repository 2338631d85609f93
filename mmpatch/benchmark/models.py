"""The models of the benchmark, and what training them on a whole image needs."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from torch import nn

from mmpatch.engine.memory.meter import SavedTensors

#: Channels of the stages of a ResNet, by depth.
CHANNELS = {18: [64, 128, 256, 512], 34: [64, 128, 256, 512], 50: [256, 512, 1024, 2048]}

#: Settings that a patch-wise detector and its head have beyond the stock ones.
PATCH_SETTINGS = (
    'patch_size',
    'halo',
    'chunk_size',
    'global_patch',
    'frozen',
    'norm_eval',
    'channels_last',
    'small_images',
)
PATCH_HEAD_SETTINGS = ('layout', 'loss_region', 'aggregator', 'global_patch')


def patch_cfg(base: dict[str, Any], depth: int, patch_size: int) -> dict[str, Any]:
    """A patch-wise FCOS with a ResNet of some depth and random weights."""
    cfg = copy.deepcopy(base)
    cfg['patch_size'] = patch_size
    cfg['backbone'].update(depth=depth, init_cfg=None)
    cfg['neck']['in_channels'] = CHANNELS[depth]
    return cfg


def stock_cfg(patch: dict[str, Any]) -> dict[str, Any]:
    """The stock FCOS that a patch-wise one is made of."""
    cfg = copy.deepcopy(patch)
    for key in PATCH_SETTINGS:
        cfg.pop(key, None)
    cfg['type'] = 'mmdet.FCOS'
    cfg['data_preprocessor']['type'] = 'mmdet.DetDataPreprocessor'
    cfg['bbox_head']['type'] = 'mmdet.FCOSHead'
    for key in PATCH_HEAD_SETTINGS:
        cfg['bbox_head'].pop(key, None)
    return cfg


def build(cfg: dict[str, Any]) -> nn.Module:
    """A model with seeded random weights in training mode."""
    torch.manual_seed(0)
    model: nn.Module = MODELS.build(ConfigDict(copy.deepcopy(cfg)))
    return model.train()


def analytic_need(stock: dict[str, Any], side: int) -> int:
    """What training on one whole image takes at least [bytes]; nothing is computed.

    Counts the image in float32, what autograd keeps of backbone, neck and head, and weights,
    gradients and AdamW's two numbers a parameter; target assignment comes on top.

    Args:
        stock: Config of a stock detector.
        side: Side of the image [px].

    Returns:
        The need; 0 if this torch cannot tell it for activation checkpointing.
    """
    with torch.device('meta'):
        image = torch.empty(1, 3, side, side)
    model: Any = build(stock).to('meta')
    try:
        with SavedTensors(known=model.parameters()) as saved:
            outs = model.bbox_head(model.extract_feat(image))
    except AttributeError:  # torch 2.4 cannot checkpoint on the meta device
        return 0
    del outs
    trained = sum(p.nbytes for p in model.parameters() if p.requires_grad)
    return saved.nbytes + image.nbytes + sum(p.nbytes for p in model.parameters()) + 3 * trained
