"""Generated data where the configs look for theirs, and configs that are small enough to try."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from mmdet.datasets import CocoDataset
from mmengine.config import Config
from PIL import Image

from mmpatch.testing import (
    make_coco_tree,
    make_mask_tree,
    make_soda_d_tree,
    make_tju_dhd_tree,
)

#: Suites that are run whole, one for each layout of the paper's detection data.
WHOLE_SUITES = ('coco-mosaic', 'soda', 'tju-pedestrian')


def make_data(root: Path) -> None:
    """Write ``root/data`` with a small image a split of every data set of the configs."""
    data = root / 'data'
    make_soda_d_tree(data / 'SODA-D', num_images=1)
    make_tju_dhd_tree(data / 'TJU-DHD', num_images=1, objects=12)
    for split in ('train', 'test'):
        make_coco_tree(data / 'yellowstone', (300, 260), 1, 8, split=split)
    for split in ('train', 'val'):
        make_coco_tree(data / 'custom', (300, 260), 1, 8, ('object',), split=split)
    for split in ('train', 'val', 'test'):
        make_coco_tree(data / 'scales', (300, 260), 1, 8, ('digit',), split=split)
        classes = ('region', 'inside', 'outside')
        make_coco_tree(data / 'inside', (300, 260), 1, 8, classes, split=split)
    shutil.copytree(data / 'inside/images', data / 'inside/images_oracle')
    for split in ('train', 'val'):
        _coco(root, data / 'coco-mosaic', split, split)
        _coco(root, data / 'coco', f'{split}2017', f'instances_{split}2017')
    make_mask_tree(data / 'nuclei', (128, 128), 1, channels=1, depth=16)
    make_mask_tree(data / 'drive', (128, 128), 1)
    for name, classes in (('aerial-building', 2), ('aerial', 5), ('lakes', 3)):
        for image in make_mask_tree(data / name, (128, 128), 1, classes).glob('*/images/*.png'):
            Image.open(image).save(image.with_suffix('.jpg'))
    shutil.copytree(data / 'lakes/train', data / 'lakes/val')
    for name in ('digits', 'digits-128', 'ultramnist'):
        _sums(data / name, 128)
    for name in ('sums', 'sums-small', 'sums-windows'):
        _scenes(data / name, 256)
    shutil.copytree(data / 'sums/images', data / 'sums/images_oracle')
    _slides(data / 'panda')


def _coco(root: Path, target: Path, folder: str, annotations: str) -> None:
    """COCO's classes and layout."""
    made = root / 'made' / target.name / folder
    make_coco_tree(made, (256, 256), 1, 8, CocoDataset.METAINFO['classes'])
    shutil.copytree(made / 'images', target / folder)
    (target / 'annotations').mkdir(exist_ok=True)
    shutil.copy(made / 'train.json', target / 'annotations' / f'{annotations}.json')


def _sums(root: Path, side: int) -> None:
    """Images with a class a name."""
    for split in ('train', 'val', 'test'):
        (root / split).mkdir(parents=True)
        pixels = np.random.default_rng(0).integers(0, 255, (side, side), dtype=np.uint8)
        Image.fromarray(pixels).save(root / split / '0.png')
        (root / f'{split}.csv').write_text('id,digit_sum\n0,1\n')


def _scenes(root: Path, side: int) -> None:
    """The same, of all splits in one folder."""
    (root / 'images').mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
    for split in ('train', 'val', 'test'):
        Image.fromarray(pixels).save(root / 'images' / f'{split}_0000.jpg')
        (root / f'{split}.csv').write_text(f'id,label\n{split}_0000,1\n')


def _slides(root: Path) -> None:
    """Slides of PANDA."""
    (root / 'train_images').mkdir(parents=True)
    (root / 'splits').mkdir()
    lines = ['image_id,data_provider,isup_grade,gleason_score']
    settings = dict(driver='GTiff', height=128, width=96, count=3, dtype='uint8')
    for number, split in enumerate(('train', 'val', 'test')):
        name = f's{number}'
        lines.append(f'{name},karolinska,{number},x')
        with rasterio.open(root / 'train_images' / f'{name}.tiff', 'w', **settings) as target:
            target.write(np.random.default_rng(number).integers(0, 200, (3, 128, 96), np.uint8))
        with (root / 'splits' / f'{split}.txt').open('a') as stream:
            stream.write(name + '\n')
    (root / 'train.csv').write_text('\n'.join(lines) + '\n')


def make_small(cfg: Config, name: str, steps: int = 1) -> Config:
    """A config for a few epochs of one image, on images of few patches, without weights.

    The learning rate is that of the config, without its schedule; that of SGD is lower.

    Grids keep about their number of patches: sides of images and patches shrink by the same factor,
    except where the levels of a detector's head need patches of 256 px.
    """
    found = copy.deepcopy(cfg.to_dict())
    levels = found['model'].get('bbox_head', {}).get('strides', [32])
    least = 256 if max(levels) > 32 else 64
    patch = found['model'].get('patch_size', 2 * least)
    factor = max(1, patch // least)
    _shrink(found, factor, min(512, 3 * least) if 'patch_size' in found['model'] else 256)
    if 'patch_size' in found['model']:
        found['model']['patch_size'] = max(least, patch // factor)
    for split in ('train', 'val', 'test'):
        found[f'{split}_dataloader'].update(
            batch_size=1, num_workers=0, persistent_workers=False, drop_last=False
        )
    if 'max_iters' in found['train_cfg']:
        found['train_cfg'].update(max_iters=steps, val_interval=steps)
    else:
        found['train_cfg'].update(max_epochs=steps, val_interval=steps)
    found['train_cfg'].pop('dynamic_intervals', None)
    found['param_scheduler'] = None
    found['load_from'] = None
    found['randomness'] = dict(seed=0)  # configs of mmdet have none
    optimizer = found['optim_wrapper']['optimizer']
    if optimizer['type'] == 'SGD':
        optimizer['lr'] *= 0.01  # weights are random, and the warm-up is gone
    elif 'decode_head' in found['model']:
        optimizer['lr'] *= 10  # a few steps have to show in the loss
    if 'PatchGD' in found['train_cfg'].get('type', ''):
        found['train_cfg']['inner_iterations'] = 2
        if 'bbox_head' in found['model'] or 'decode_head' in found['model']:
            # One half of the patches, then the other: losses of batches can be compared.
            found['train_cfg']['sampling_rate'] = 0.5
            found['train_cfg'].pop('sampled_patches', None)
    if found['model']['backbone']['type'] == 'HourglassNet':
        found['model']['backbone'].update(
            stage_channels=[16, 16, 24, 24, 24, 32], stage_blocks=[1] * 6, feat_channel=16
        )
        found['model']['bbox_head']['in_channels'] = 16
    _narrow(found['model'])
    if found['model']['backbone']['type'] == 'mmseg.ResNetV1c':
        found['model']['backbone']['depth'] = 18
        found['model']['decode_head'].update(in_channels=512, channels=64)
    if found['model']['backbone']['type'] == 'mmseg.UNet':
        found['model']['backbone']['base_channels'] = 16
        found['model']['decode_head'].update(in_channels=16, channels=16)
    if 'score_thr' in found['model'].get('test_cfg', {}):
        found['model']['test_cfg']['score_thr'] = 0.0  # no metric without a prediction
    if 'topk' in found['model'].get('test_cfg', {}):
        found['model']['test_cfg']['topk'] = 50  # the small map of a global patch has no more cells
    if 'visualizer' in found:
        found['visualizer']['name'] = name  # mmengine keeps visualizers by their names
    return Config(found)


def _narrow(model: dict[str, Any]) -> None:
    """Leave a quarter of the channels of theta1, where its backbone has a width.

    That is fast, and AdamW needs no warm-up then: in a ResNet50 of full width, its first step at
    the learning rate of the configs takes FCOS's loss from 9 to 200 on the same image.
    """
    backbone = model['backbone']
    if backbone['type'] == 'CSPDarknet':
        backbone['widen_factor'] /= 4
    elif backbone['type'] == 'ResNet':
        backbone['base_channels'] = 16
    elif backbone['type'] == 'mmpretrain.ResNet':
        backbone.update(base_channels=16, stem_channels=16)
    else:
        return
    # theta2 of a classifier stays: a quarter of its channels does not fill its norm's groups
    head = 'aggregator' if 'aggregator' in model else 'head'
    for part in ('neck', 'bbox_head', head):
        settings = model.get(part) or {}
        for key in ('in_channels', 'out_channels', 'feat_channels', 'num_deconv_filters'):
            if isinstance(settings.get(key), int):
                settings[key] //= 4
            elif key in settings:
                settings[key] = [channels // 4 for channels in settings[key]]


def _shrink(node: Any, factor: int, most: int) -> None:
    """Leave weights and workers out, and reduce sizes, in all of a config."""
    if isinstance(node, dict):
        if isinstance(node.get('init_cfg'), dict) and node['init_cfg'].get('type') == 'Pretrained':
            node['init_cfg'] = None
        kind = str(node.get('type'))
        if kind == 'RepeatDataset':
            node['times'] = 1
        if 'pipeline' in node and 'dataset' not in node:
            node['serialize_data'] = False  # it runs the garbage collector, over all tests
        if kind == 'Resize' and 'scale' in node:
            node['scale'] = tuple(max(64, min(most, side // factor)) for side in node['scale'])
        if kind == 'Resize' and 'scale_factor' in node:
            node['scale_factor'] = 1.0
        if kind == 'mmpatch.LoadSlide':
            node['size'] = max(64, min(512, node['size'] // factor))
        if kind == 'RandomCrop':
            node['crop_size'] = (256, 256)  # with objects in it, in any case
        for value in node.values():
            _shrink(value, factor, most)
    elif isinstance(node, (list, tuple)):
        for value in node:
            _shrink(value, factor, most)
