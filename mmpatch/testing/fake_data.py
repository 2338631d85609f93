"""Small seeded data trees with the layout of the real sets, for tests and dry runs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SODA_D_CLASSES = (
    'people',
    'rider',
    'bicycle',
    'motor',
    'vehicle',
    'traffic-sign',
    'traffic-light',
    'traffic-camera',
    'warning-cone',
)
SODA_D_IGNORE_ID = 10
TJU_DHD_CLASSES = ('Pedestrian', 'Cyclist', 'Car', 'Truck', 'Van')


def make_coco_tree(
    root: Path,
    image_size: tuple[int, int] = (96, 64),
    num_images: int = 2,
    objects: int = 3,
    classes: Sequence[str] = ('tree',),
    seed: int = 0,
    split: str = 'train',
) -> Path:
    """Write ``root/images/*.png`` and ``root/<split>.json``: coloured boxes on noise, in COCO format.

    Args:
        root: Folder to write to; made if missing.
        image_size: Width and height [px].
        num_images: Number of images.
        objects: Boxes an image.
        classes: Category names, ids from 1; each has its own colour.
        seed: Seed of sizes, places and noise.
        split: Name of the annotation file.

    Returns:
        Path of the annotation file.
    """
    rng = np.random.default_rng(seed)
    files = [f'{split}_{number:03d}.png' for number in range(num_images)]
    coco = _draw_images(rng, root / 'images', files, image_size, objects, classes)
    path = root / f'{split}.json'
    path.write_text(json.dumps(coco), encoding='utf-8')
    return path


def make_soda_d_tree(
    root: Path,
    image_size: tuple[int, int] = (160, 120),
    num_images: int = 2,
    objects: int = 6,
    seed: int = 0,
    ignore_regions: int = 1,
) -> Path:
    """Write a tree with SODA-D's raw layout, ``rawData/{Images,Annotations/{train,val,test}.json}``.

    As in the raw set, annotations have neither ``segmentation`` nor ``iscrowd``, and category 10
    marks regions to ignore.

    Args:
        root: Folder to write to, the ``data/SODA-D`` of the configs; made if missing.
        image_size: Width and height [px].
        num_images: Images a split.
        objects: Boxes an image.
        seed: Seed of sizes, places and noise.
        ignore_regions: Boxes of category 10 an image.

    Returns:
        ``root``.
    """
    folder = root / 'rawData'
    (folder / 'Annotations').mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for index, split in enumerate(('train', 'val', 'test')):
        files = [f'{index * num_images + number:05d}.jpg' for number in range(num_images)]
        coco = _draw_images(rng, folder / 'Images', files, image_size, objects, SODA_D_CLASSES)
        coco['categories'].append({'id': SODA_D_IGNORE_ID, 'name': 'ignore'})
        for image in coco['images']:
            for _ in range(ignore_regions):
                box = _random_box(rng, image_size)
                coco['annotations'].append(_annotation(coco, image['id'], SODA_D_IGNORE_ID, box))
        for annotation in coco['annotations']:
            del annotation['iscrowd']
        path = folder / 'Annotations' / f'{split}.json'
        path.write_text(json.dumps(coco), encoding='utf-8')
    return root


def make_tju_dhd_tree(
    root: Path,
    image_size: tuple[int, int] = (160, 120),
    num_images: int = 2,
    objects: int = 6,
    seed: int = 0,
) -> Path:
    """Write a tree with the layout of TJU-DHD's traffic scenes, and of the pedestrians among them.

    Annotations of pedestrians have ``vis_ratio``, ``height`` and ``ignore``.

    Args:
        root: Folder to write to, the ``data/TJU-DHD`` of the configs; made if missing.
        image_size: Width and height [px].
        num_images: Images a split.
        objects: Boxes an image.
        seed: Seed of sizes, places and noise.

    Returns:
        ``root``.
    """
    rng = np.random.default_rng(seed)
    traffic = root / 'dhd_traffic'
    pedestrians = root / 'dhd_pedestrian' / 'ped_traffic' / 'annotations'
    for folder in (traffic / 'annotations', pedestrians):
        folder.mkdir(parents=True, exist_ok=True)
    for split in ('train', 'val'):
        files = [f'{split}{number:05d}.jpg' for number in range(num_images)]
        folder = traffic / 'images' / split
        coco = _draw_images(rng, folder, files, image_size, objects, TJU_DHD_CLASSES)
        path = traffic / 'annotations' / f'dhd_traffic_{split}.json'
        path.write_text(json.dumps(coco), encoding='utf-8')
        coco['categories'] = coco['categories'][:1]
        coco['annotations'] = [
            {**a, 'vis_ratio': float(rng.uniform(0, 1)), 'height': a['bbox'][3], 'ignore': 0}
            for a in coco['annotations']
            if a['category_id'] == 1
        ]
        path = pedestrians / f'dhd_pedestrian_traffic_{split}.json'
        path.write_text(json.dumps(coco), encoding='utf-8')
    return root


def make_mask_tree(
    root: Path,
    image_size: tuple[int, int] = (96, 64),
    num_images: int = 2,
    classes: int = 2,
    channels: int = 3,
    depth: int = 8,
    seed: int = 0,
) -> Path:
    """Write ``root/{train,test}/{images,masks}/*.png``: bright boxes on noise, masks of classes.

    Args:
        root: Folder to write to; made if missing.
        image_size: Width and height [px].
        num_images: Images a split.
        classes: Number of classes, background included.
        channels: 1 or 3.
        depth: Bits a channel, 8 or 16 (of one channel).
        seed: Seed of sizes, places and noise.

    Returns:
        ``root``.
    """
    rng = np.random.default_rng(seed)
    width, height = image_size
    dtype = np.uint16 if depth == 16 else np.uint8
    for split in ('train', 'test'):
        for kind in ('images', 'masks'):
            (root / split / kind).mkdir(parents=True, exist_ok=True)
        for number in range(num_images):
            pixels = rng.integers(0, 60, (height, width, channels))
            mask = np.zeros((height, width), dtype=np.uint8)
            for _ in range(6):
                x, y, w, h = _random_box(rng, image_size)
                label = int(rng.integers(1, classes))
                mask[y : y + h, x : x + w] = label
                pixels[y : y + h, x : x + w] = 150 // label
            image = (pixels[..., 0] if channels == 1 else pixels).astype(dtype)
            Image.fromarray(image).save(root / split / 'images' / f'{number}.png')
            Image.fromarray(mask).save(root / split / 'masks' / f'{number}.png')
    return root


def _draw_images(
    rng: np.random.Generator,
    folder: Path,
    files: Sequence[str],
    image_size: tuple[int, int],
    objects: int,
    classes: Sequence[str],
) -> dict[str, Any]:
    """Write images with one filled box an object, and return their COCO dict."""
    folder.mkdir(parents=True, exist_ok=True)
    width, height = image_size
    categories = [{'id': number, 'name': name} for number, name in enumerate(classes, start=1)]
    coco: dict[str, Any] = {'images': [], 'annotations': [], 'categories': categories}
    colours = np.random.default_rng(len(classes)).integers(
        128, 256, (len(classes), 3), dtype=np.uint8
    )
    for image_id, name in enumerate(files, start=1):
        pixels = rng.integers(0, 100, (height, width, 3), dtype=np.uint8)
        for _ in range(objects):
            box = _random_box(rng, image_size)
            label = int(rng.integers(len(classes)))
            x, y, w, h = box
            pixels[y : y + h, x : x + w] = colours[label]
            coco['annotations'].append(_annotation(coco, image_id, label + 1, box))
        Image.fromarray(pixels).save(folder / name)
        coco['images'].append({'id': image_id, 'file_name': name, 'width': width, 'height': height})
    return coco


def _random_box(rng: np.random.Generator, image_size: tuple[int, int]) -> list[int]:
    """Return x, y, width, height [px] of a box inside the image, of 6 px a side to a third of the image."""
    width, height = image_size
    w = int(rng.integers(6, max(7, width // 3)))
    h = int(rng.integers(6, max(7, height // 3)))
    return [int(rng.integers(0, width - w)), int(rng.integers(0, height - h)), w, h]


def _annotation(
    coco: dict[str, Any], image_id: int, category: int, box: list[int]
) -> dict[str, Any]:
    """Return the COCO annotation that comes next."""
    return {
        'id': len(coco['annotations']) + 1,
        'image_id': image_id,
        'category_id': category,
        'bbox': box,
        'area': box[2] * box[3],
        'iscrowd': 0,
    }
