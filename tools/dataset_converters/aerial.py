"""Dubai aerial imagery: RGB-coded masks to labels, and a split.

Usage:
    python tools/dataset_converters/aerial.py "Semantic segmentation dataset" --out data/aerial
    python tools/dataset_converters/aerial.py "Semantic segmentation dataset" --out data/aerial-building --only building

SOURCE holds ``Tile 1`` to ``Tile 8`` with ``images/image_part_001.jpg ... masks/image_part_001.png`` (72 images of
different sizes; Kaggle, humansintheloop/semantic-segmentation-of-aerial-imagery).

Writes ``OUT/{train,test}/{images,masks}/tile1_part001.{jpg,png}``. Labels are 0 building, 1 land, 2 road, 3 vegetation,
4 water, and 255 (ignored) where nothing was labelled; with ``--only CLASS`` 1 for that class and 0 for the others. The
paper trains on 52 images and tests on 20, and does not say which; here a seed draws them. ``OUT/made_with.json``
notes the settings; a later call with other ones is refused.
"""

from __future__ import annotations

import argparse
import io
import random
import re
import sys
from pathlib import Path

import numpy as np
from mmengine.utils import track_progress
from PIL import Image

from mmpatch.datasets.conversion import claim_output, digest
from mmpatch.datasets.masks import colours_to_labels
from mmpatch.utils.files import write_atomic

IGNORED = 255
COLOURS = {
    'building': (0x3C, 0x10, 0x98),
    'land': (0x84, 0x29, 0xF6),
    'road': (0x6E, 0xC1, 0xE4),
    'vegetation': (0xFE, 0xDD, 0x3A),
    'water': (0xE2, 0xA9, 0x29),
}
UNLABELLED = (0x9B, 0x9B, 0x9B)
LABELS = {colour: label for label, colour in enumerate(COLOURS.values())} | {UNLABELLED: IGNORED}


def find_images(source: Path) -> list[Path]:
    """List the images of all tiles.

    Raises:
        FileNotFoundError: If there is none, or one has no mask.
    """
    images = sorted(source.glob('Tile */images/image_part_*.jpg'))
    if not images:
        raise FileNotFoundError(
            f'no "Tile 1/images/image_part_001.jpg" in {source.resolve()}: pass the folder '
            '"Semantic segmentation dataset" of the archive'
        )
    for image in images:
        if not mask_of(image).is_file():
            raise FileNotFoundError(f'{image} has no mask at {mask_of(image)}: unpack again')
    return images


def mask_of(image: Path) -> Path:
    """The mask of an image."""
    return image.parents[1] / 'masks' / f'{image.stem}.png'


def convert(image: Path, split: str, out: Path, only: str | None) -> None:
    """Copy one image and write its labels.

    Raises:
        ValueError: If the mask has colours of no class or another size than the image.
    """
    with Image.open(mask_of(image)) as opened:
        mask = np.array(opened.convert('RGB'))
    with Image.open(image) as opened:
        if opened.size != mask.shape[1::-1]:
            raise ValueError(
                f'{mask_of(image)} has {mask.shape[1]} x {mask.shape[0]} px, {image} '
                f'{opened.size[0]} x {opened.size[1]} px: they must be equal'
            )
    labels = colours_to_labels(mask, LABELS, str(mask_of(image)))
    if only is not None:
        chosen = labels == list(COLOURS).index(only)
        labels = np.where(labels == IGNORED, IGNORED, chosen).astype(np.uint8)
    tile, part = (re.sub(r'\D', '', text) for text in (image.parents[1].name, image.stem))
    name = f'tile{tile}_part{part}'
    buffer = io.BytesIO()
    Image.fromarray(labels).save(buffer, format='PNG')
    write_atomic(out / split / 'images' / f'{name}.jpg', image.read_bytes())
    write_atomic(out / split / 'masks' / f'{name}.png', buffer.getvalue())


def main(argv: list[str] | None = None) -> None:
    """Convert all images."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', type=Path)
    parser.add_argument('--out', type=Path, default=Path('data/aerial'))
    parser.add_argument('--only', choices=list(COLOURS), help='a binary mask of this class')
    parser.add_argument('--test-images', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0, help='of the split')
    args = parser.parse_args(argv)
    try:
        images = find_images(args.source)
        if not 0 < args.test_images < len(images):
            raise ValueError(
                f'--test-images {args.test_images}: expected 1 to {len(images) - 1}, there are '
                f'{len(images)} images'
            )
        settings = dict(only=args.only, test_images=args.test_images, seed=args.seed)
        names = digest(str(image.relative_to(args.source)) for image in images)
        claim_output(args.out, {**settings, 'images': names})
        testing = set(random.Random(args.seed).sample(images, args.test_images))
        track_progress(
            lambda x: convert(x, 'test' if x in testing else 'train', args.out, args.only), images
        )
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(
        f'\nwrote {args.out}: {len(images) - len(testing)} images for training, {len(testing)} '
        'for testing'
    )


if __name__ == '__main__':
    main()
