"""Compare the gradient that a config trains with to plain autograd, on a crop that fits.

    python tools/analysis_tools/verify_gradient.py configs/patch_fcos_yellowstone.py
    python tools/analysis_tools/verify_gradient.py CONFIG --gradient exact --synthetic

Prints a line for each module, whether running statistics moved and which parameters got no
gradient. Exits with 1 if something is wrong.
"""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import fields
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample

from mmpatch.engine.crop_sample import crop_sample
from mmpatch.engine.gradients import build_gradient
from mmpatch.engine.verification import verify_gradient
from mmpatch.patching import PatchSchedule
from mmpatch.registry import DATASETS, MODELS
from mmpatch.utils import load_config


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of a patch-wise model')
    parser.add_argument('--checkpoint', help='weights; without, those of a fresh model')
    parser.add_argument('--gradient', help='instead of the train_cfg.gradient of the config')
    parser.add_argument(
        '--patches', type=int, default=3, help='side of the crop in patches (default: %(default)s)'
    )
    parser.add_argument(
        '--synthetic', action='store_true', help='random image and objects, where data is missing'
    )
    parser.add_argument(
        '--dtype', default='float64', choices=['float64', 'float32'], help='default: %(default)s'
    )
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--depth', type=int, default=2, help='how finely modules are told apart')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Verify; 0 if all is right."""
    args = parse_args(argv)
    logging.getLogger('mmengine').setLevel(logging.WARNING)
    torch.manual_seed(0)
    options = {**args.cfg_options}
    cfg = load_config(args.config, work_dir=None, launcher='none', options=options)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    if args.synthetic and 'init_cfg' in cfg.model.get('backbone', {}):
        cfg.model.backbone.init_cfg = None  # the pretrained weights may be missing, too
    model = MODELS.build(cfg.model)
    logging.disable(logging.INFO)  # mmengine logs how each parameter was initialised
    model.init_weights()
    logging.disable(logging.NOTSET)
    if args.checkpoint:
        from mmengine.runner import load_checkpoint

        load_checkpoint(model, args.checkpoint, map_location='cpu')
    model = model.to(args.device, getattr(torch, args.dtype))
    side = args.patches * model.patch_size
    image, sample = synthetic(model, side) if args.synthetic else first_sample(cfg)
    image, sample = crop_sample(image, sample, side)
    setting = args.gradient or cfg.train_cfg.get('gradient', 'sampled')
    strategy = build_gradient(setting)
    names = [field.name for field in fields(PatchSchedule)]
    schedule = PatchSchedule(**{k: cfg.train_cfg[k] for k in names if k in cfg.train_cfg})
    try:
        result = verify_gradient(
            model, strategy, [image], [sample.to(args.device)], schedule, args.depth
        )
    except RuntimeError as error:
        if args.dtype == 'float32' or 'dtype' not in str(error):
            raise
        sys.exit(f'{error}\nSome heads of mmdet compute in float32 alone: add --dtype float32')
    height, width = image.shape[-2:]
    print(
        f'gradient={setting!r} against autograd with all patches in memory: a crop of '
        f'{height} x {width} px, patches of {model.patch_size} px, {args.dtype}, {args.device}'
    )
    print(result.table())
    for problem in result.problems:
        print(f'WRONG: {problem}')
    print('The gradient is right.' if not result.problems else 'The gradient is NOT right.')
    return int(bool(result.problems))


def first_sample(cfg: Config) -> tuple[torch.Tensor, Any]:
    """The first training image with objects, and its labels."""
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    data = dataset[0]
    for index in range(min(len(dataset), 50)):
        data = dataset[index]
        objects = data['data_samples'].get('gt_instances')
        if objects is None or len(objects):
            break
    sample = data['data_samples']
    for key in ('gt_instances', 'ignored_instances'):
        found = sample.get(key)
        if found is not None and not isinstance(found.get('bboxes'), torch.Tensor):
            found.bboxes = found.bboxes.tensor  # mmdet's box types
    return data['inputs'], sample


def synthetic(model: Any, side: int) -> tuple[torch.Tensor, Any]:
    """A random image of a class, or with 30 objects of 8 px to half a patch as boxes or a mask."""
    generator = torch.Generator().manual_seed(0)
    mean = getattr(model.data_preprocessor, 'mean', torch.zeros(3))
    image = (torch.rand(mean.numel(), side, side, generator=generator) * 255).byte()
    shape = (side, side)
    meta = dict(img_shape=shape, ori_shape=shape, pad_shape=shape, scale_factor=(1.0, 1.0))
    if isinstance(model, ImageClassifier):
        return image, DataSample(metainfo=meta).set_gt_label(0)
    size = torch.rand(30, 2, generator=generator) * (model.patch_size / 2 - 8) + 8
    corner = torch.rand(30, 2, generator=generator) * (side - size)
    boxes = torch.cat((corner, corner + size), dim=1)
    classes = model.bbox_head.num_classes if hasattr(model, 'bbox_head') else model.num_classes
    labels = torch.randint(classes, (30,), generator=generator)
    if not hasattr(model, 'bbox_head'):
        mask = torch.zeros(1, side, side, dtype=torch.long)
        for (x0, y0, x1, y1), label in zip(boxes.int().tolist(), labels.tolist()):
            mask[:, y0:y1, x0:x1] = label
        masked = SegDataSample(metainfo=meta)
        masked.gt_sem_seg = PixelData(data=mask)
        return image, masked
    sample = DetDataSample(metainfo=meta)
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    return image, sample


if __name__ == '__main__':
    sys.exit(main())
