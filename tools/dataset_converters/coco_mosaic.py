"""COCO images, 36 at a time, as mosaics of 6 x 6 cells and 4096 x 4096 px: many small objects in one large image.

Usage:
    python tools/dataset_converters/coco_mosaic.py data/coco/annotations/instances_val2017.json data/coco/val2017 \
        --out data/coco-mosaic --split val
    python tools/dataset_converters/coco_mosaic.py MY.json MY_IMAGES --side 2048 --columns 3 --split train

Any COCO JSON will do. Every image keeps its size and lies at the top left of its cell (an image larger than a cell is
reduced to it, with its boxes). The rest of a mosaic is light grey. Images come in the order of the file; the last
mosaic may hold fewer. Boxes, areas, crowds and categories are kept, masks are not.

Writes ``OUT/SPLIT/000000.jpg`` and ``OUT/annotations/SPLIT.json``, whose images name their sources. A call that was
interrupted goes on where it stopped; with other settings or images it is refused.
"""

import argparse
import functools
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.utils import track_parallel_progress
from PIL import Image, UnidentifiedImageError

from mmpatch.datasets.conversion import claim_output, digest
from mmpatch.utils.files import write_atomic

#: Grey of what no image covers.
GREY = 250

#: An image of COCO JSON, and its annotations.
Source = tuple[dict[str, Any], list[dict[str, Any]]]


def read_coco(path: Path) -> tuple[list[Source], list[dict[str, Any]]]:
    """Read a COCO JSON.

    Returns:
        Each image with its annotations, in the order of the file, and the categories.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no COCO JSON, or an annotation belongs to no image.
    """
    if not path.is_file():
        raise FileNotFoundError(f'no annotations at {path.resolve()}')
    try:
        coco = json.loads(path.read_text(encoding='utf-8'))
        sources: dict[Any, Source] = {image['id']: (image, []) for image in coco['images']}
        annotations, categories = coco['annotations'], coco['categories']
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path} is no COCO JSON ({error!r}): expected an object with the lists images, '
            'annotations and categories'
        ) from error
    for annotation in annotations:
        if annotation['image_id'] not in sources:
            raise ValueError(
                f'annotation {annotation.get("id")} in {path} belongs to image '
                f'{annotation["image_id"]}, which is not in the file'
            )
        sources[annotation['image_id']][1].append(annotation)
    return list(sources.values()), categories


def scale_of(image: dict[str, Any], cell: int) -> float:
    """Factor that an image is reduced by to fit into a cell [px]; 1 if it fits."""
    return float(min(1.0, cell / image['width'], cell / image['height']))


def place(number: int, columns: int, cell: int) -> tuple[int, int]:
    """Left and top [px] of a cell of its mosaic, row by row."""
    return number % columns * cell, number // columns * cell


def mosaic_annotations(sources: list[Source], columns: int, cell: int) -> list[dict[str, Any]]:
    """Annotations of the images of one mosaic, in its coordinates, without ids."""
    found = []
    for number, (image, annotations) in enumerate(sources):
        left, top = place(number, columns, cell)
        scale = scale_of(image, cell)
        for annotation in annotations:
            x, y, width, height = (scale * value for value in annotation['bbox'])
            area = annotation.get('area', annotation['bbox'][2] * annotation['bbox'][3])
            found.append(
                {
                    'category_id': annotation['category_id'],
                    'bbox': [round(v, 3) for v in (left + x, top + y, width, height)],
                    'area': round(area * scale**2, 3),
                    'iscrowd': annotation.get('iscrowd', 0),
                }
            )
    return found


def draw(sources: list[Source], images: Path, side: int, columns: int) -> Image.Image:
    """Draw one mosaic.

    Raises:
        OSError: If an image is missing, truncated or of another size than its entry says.
    """
    cell = side // columns
    canvas = Image.new('RGB', (side, side), (GREY, GREY, GREY))
    for number, (entry, _) in enumerate(sources):
        path = images / entry['file_name']
        try:
            with Image.open(path) as opened:
                image = opened.convert('RGB')
        except (OSError, UnidentifiedImageError) as error:
            raise OSError(f'cannot read {path}: {error}') from error
        if image.size != (entry['width'], entry['height']):
            raise OSError(
                f'{path} has {image.width} x {image.height} px, its entry says '
                f'{entry["width"]} x {entry["height"]}: images and annotations do not belong together'
            )
        scale = scale_of(entry, cell)
        if scale < 1:
            size = [max(1, int(np.floor(length * scale))) for length in image.size]
            image = image.resize((size[0], size[1]), Image.Resampling.BOX)
        canvas.paste(image, place(number, columns, cell))
    return canvas


def write_mosaic(
    task: tuple[Path, list[Source]], images: Path, side: int, columns: int, quality: int
) -> None:
    """Draw one mosaic to its file, unless it is there."""
    path, sources = task
    if path.is_file():
        return
    buffer = io.BytesIO()
    draw(sources, images, side, columns).save(buffer, format='JPEG', quality=quality)
    write_atomic(path, buffer.getvalue())


def main(argv: list[str] | None = None) -> None:
    """Draw all mosaics that are missing, and write their annotations."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('annotations', type=Path, help='COCO JSON')
    parser.add_argument('images', type=Path, help='folder of the images that it names')
    parser.add_argument('--out', type=Path, default=Path('data/coco-mosaic'))
    parser.add_argument('--split', default='train', help='name of the images folder and the JSON')
    parser.add_argument('--side', type=int, default=4096, help='of a mosaic [px]')
    parser.add_argument('--columns', type=int, default=6, help='images a row, and rows')
    parser.add_argument('--quality', type=int, default=95, help='of the JPEG files')
    parser.add_argument('--workers', type=int, default=2)
    args = parser.parse_args(argv)
    if args.columns < 1 or args.side < args.columns:
        parser.error(f'{args.columns} columns do not fit onto {args.side} px')
    try:
        sources, categories = read_coco(args.annotations)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    if not sources:
        sys.exit(f'error: {args.annotations} lists no images')
    cell, count = args.side // args.columns, args.columns**2
    groups = [sources[start : start + count] for start in range(0, len(sources), count)]
    folder = args.out / args.split
    names = digest([image['file_name'], image['width'], image['height']] for image, _ in sources)
    settings = dict(side=args.side, columns=args.columns, quality=args.quality, images=names)
    try:
        claim_output(folder, settings, written=['.'])
    except ValueError as error:
        sys.exit(f'error: {error}')
    tasks = [(folder / f'{number:06d}.jpg', group) for number, group in enumerate(groups)]
    work = functools.partial(
        write_mosaic,
        images=args.images,
        side=args.side,
        columns=args.columns,
        quality=args.quality,
    )
    try:
        track_parallel_progress(work, tasks, args.workers)
    except OSError as error:
        sys.exit(f'\nerror: {error}')
    entries, boxes = [], []
    for number, (path, group) in enumerate(tasks):
        names = [image['file_name'] for image, _ in group]
        size = dict(width=args.side, height=args.side)
        entries.append(dict(id=number, file_name=path.name, **size, sources=names))
        for box in mosaic_annotations(group, args.columns, cell):
            boxes.append(dict(id=len(boxes) + 1, image_id=number, **box))
    coco = dict(images=entries, annotations=boxes, categories=categories)
    target = args.out / 'annotations' / f'{args.split}.json'
    target.parent.mkdir(exist_ok=True)
    write_atomic(target, json.dumps(coco).encode())
    print(
        f'\nwrote {len(tasks)} mosaics of {len(sources)} images with {len(boxes)} boxes to {folder}, '
        f'annotations to {target}'
    )


if __name__ == '__main__':
    main()
