"""The models of the benchmark, and what training them on a whole image needs."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from mmpatch.utils.memory import SavedTensors

#: Models, and their base config among configs/_base_/models.
BASES = {
    'fcos-r18': 'patch_fcos_r50_fpn.py',
    'fcos-r34': 'patch_fcos_r50_fpn.py',
    'fcos-r50': 'patch_fcos_r50_fpn.py',
    'unet': 'patch_unet.py',
    'mobilenetv2': 'patch_mobilenetv2_cls.py',
}
#: How they are called in tables.
LABELS = {
    'fcos-r18': 'FCOS-R18',
    'fcos-r34': 'FCOS-R34',
    'fcos-r50': 'FCOS-R50',
    'unet': 'U-Net',
    'mobilenetv2': 'MobileNetV2',
}
#: Channels of the stages of a ResNet, by depth.
CHANNELS = {18: [64, 128, 256, 512], 34: [64, 128, 256, 512], 50: [256, 512, 1024, 2048]}

#: Settings that a patch-wise model and its head have beyond the stock ones.
PATCH_SETTINGS = (
    'patch_size',
    'halo',
    'test_halo',
    'stride',
    'blend',
    'chunk_size',
    'global_patch',
    'global_frame',
    'fuse',
    'frozen',
    'norm_eval',
    'channels_last',
    'compile',
    'small_images',
    'latent_channels',
    'latent_stride',
    'aggregator',
    'loss_region',
    'fusion',
    'background',
)
PATCH_HEAD_SETTINGS = ('loss_region', 'aggregator')
STOCK_TYPES = {
    'mmpatch.PatchDetector': 'mmdet.FCOS',
    'mmpatch.PatchSegmentor': 'mmseg.EncoderDecoder',
    'mmpatch.PatchDetDataPreprocessor': 'mmdet.DetDataPreprocessor',
    'mmpatch.PatchSegDataPreprocessor': 'mmseg.SegDataPreProcessor',
    'mmpatch.PatchFCOSHead': 'mmdet.FCOSHead',
    'mmpatch.PatchClassifier': 'mmpretrain.ImageClassifier',
    'mmpatch.PatchClsDataPreprocessor': 'mmpretrain.ClsDataPreprocessor',
}


def patch_cfg(base: dict[str, Any], model: str, patch_size: int) -> dict[str, Any]:
    """A patch-wise model with random weights.

    Args:
        base: Its base config.
        model: A key of :data:`BASES`.
        patch_size: Side of a patch [px].
    """
    cfg = copy.deepcopy(base)
    cfg['patch_size'] = patch_size
    if model.startswith('fcos-r'):
        depth = int(model.removeprefix('fcos-r'))
        cfg['backbone'].update(depth=depth, init_cfg=None)
        cfg['neck']['in_channels'] = CHANNELS[depth]
    return cfg


def stock_cfg(patch: dict[str, Any]) -> dict[str, Any]:
    """The stock model that a patch-wise one is made of."""
    cfg = {k: v for k, v in copy.deepcopy(patch).items() if k not in PATCH_SETTINGS}
    if 'bbox_head' in cfg:
        for key in PATCH_HEAD_SETTINGS:
            cfg['bbox_head'].pop(key, None)
    if 'head' in cfg:  # it reads the backbone's features, and not theta2's
        cfg['head']['in_channels'] = patch['aggregator']['in_channels']
    for part in (cfg, cfg['data_preprocessor'], cfg.get('bbox_head', {})):
        part['type'] = STOCK_TYPES.get(part.get('type', ''), part.get('type'))
    return cfg


def build(cfg: dict[str, Any]) -> nn.Module:
    """A model with seeded random weights in training mode."""
    torch.manual_seed(0)
    scopes = {'decode_head': 'mmseg', 'bbox_head': 'mmdet', 'head': 'mmpretrain'}
    scope = next(scope for part, scope in scopes.items() if part in cfg)
    with DefaultScope.overwrite_default_scope(scope):
        model: nn.Module = MODELS.build(ConfigDict(copy.deepcopy(cfg)))
    return model.train()


def analytic_need(stock: dict[str, Any], side: int) -> int:
    """What training on one whole image takes at least [bytes]; nothing is computed.

    Counts the image in float32, what autograd keeps of backbone, neck and head, and weights,
    gradients and AdamW's two numbers a parameter; target assignment comes on top.

    Args:
        stock: Config of a stock model.
        side: Side of the image [px].

    Returns:
        The need; 0 if this torch cannot tell it for activation checkpointing.
    """
    with torch.device('meta'):
        image = torch.empty(1, 3, side, side)
    model: Any = build(stock).to('meta')
    try:
        with SavedTensors(known=model.parameters()) as saved:
            outs = model(image)
    except AttributeError:  # torch 2.4 cannot checkpoint on the meta device
        return 0
    del outs
    trained = sum(p.nbytes for p in model.parameters() if p.requires_grad)
    return saved.nbytes + image.nbytes + sum(p.nbytes for p in model.parameters()) + 3 * trained
