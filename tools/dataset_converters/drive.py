"""Retina vessels: make one layout of the official DRIVE set or of Kaggle's "Retina Blood Vessel".

Usage:
    python tools/dataset_converters/drive.py SOURCE --out data/drive

SOURCE holds either ``training/ test/`` with ``images/*.tif 1st_manual/*.gif mask/*.gif`` (official, 20 and 20 images;
https://drive.grand-challenge.org) or ``Data/train/ Data/test/`` with ``image/*.png mask/*.png`` (Kaggle,
abdallahwagih/retina-blood-vessel, 80 and 20 images; not the official split).

Writes ``OUT/{train,test}/{images,masks}/NAME.png``; masks are 0 background, 1 vessel. With ``--ignore-outside-fov``
pixels outside the field of view get 255, where the official set says what lies inside. ``OUT/made_with.json`` notes the
settings; a later call with other ones is refused.
"""

import argparse
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.utils import track_progress
from PIL import Image

from mmpatch.datasets.conversion import claim_output, digest
from mmpatch.datasets.masks import grey_to_binary
from mmpatch.utils.files import write_atomic

IGNORED = 255


@dataclass(frozen=True)
class Item:
    """One image with its mask.

    Attributes:
        split: ``'train'`` or ``'test'``.
        name: Its name in the new layout, without ending.
        image, mask: Files of the source.
        fov: Mask of the field of view; None if there is none.
    """

    split: str
    name: str
    image: Path
    mask: Path
    fov: Path | None = None


def find_items(source: Path) -> list[Item]:
    """List images and masks of either layout.

    Raises:
        FileNotFoundError: If the folder has neither layout, or an image has no mask.
    """
    items = [*_official(source), *_kaggle(source / 'Data'), *_kaggle(source)]
    if not items:
        raise FileNotFoundError(
            f'{source.resolve()} has neither training/images/*.tif (official DRIVE) nor '
            'Data/train/image/*.png (Kaggle): pass the folder that the archive unpacks to'
        )
    for item in items:
        if not item.mask.is_file():
            raise FileNotFoundError(
                f'{item.image} has no mask at {item.mask}: unpack the set again, or remove the image'
            )
    return items


def _official(source: Path) -> Iterator[Item]:
    for folder, split in (('training', 'train'), ('test', 'test')):
        for image in sorted((source / folder / 'images').glob('*.tif')):
            number = image.stem.split('_')[0]
            fov = source / folder / 'mask' / f'{image.stem}_mask.gif'
            mask = source / folder / '1st_manual' / f'{number}_manual1.gif'
            yield Item(split, image.stem, image, mask, fov if fov.is_file() else None)


def _kaggle(source: Path) -> Iterator[Item]:
    for split in ('train', 'test'):
        for image in sorted((source / split / 'image').glob('*.png')):
            yield Item(split, image.stem, image, source / split / 'mask' / image.name)


def convert(item: Item, out: Path, ignore_outside_fov: bool) -> None:
    """Write one image and its mask as PNG.

    Raises:
        ValueError: If image and mask differ in size, or a file cannot be read.
    """
    try:
        with Image.open(item.image) as opened:
            image = np.array(opened.convert('RGB'))
        with Image.open(item.mask) as opened:
            mask = grey_to_binary(np.array(opened), str(item.mask))
        if ignore_outside_fov and item.fov is not None:
            with Image.open(item.fov) as opened:
                mask[grey_to_binary(np.array(opened), str(item.fov)) == 0] = IGNORED
    except OSError as error:
        raise ValueError(f'cannot read {item.image} or its mask: {error}') from error
    if mask.shape != image.shape[:2]:
        raise ValueError(
            f'{item.mask} has {mask.shape} px, {item.image} {image.shape[:2]} px: they must be equal'
        )
    for kind, array in (('images', image), ('masks', mask)):
        buffer = io.BytesIO()
        Image.fromarray(array).save(buffer, format='PNG')
        write_atomic(out / item.split / kind / f'{item.name}.png', buffer.getvalue())


def main(argv: list[str] | None = None) -> None:
    """Convert all images."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', type=Path)
    parser.add_argument('--out', type=Path, default=Path('data/drive'))
    parser.add_argument('--ignore-outside-fov', action='store_true')
    args = parser.parse_args(argv)
    try:
        items = find_items(args.source)
        names = digest([item.split, item.name] for item in items)
        claim_output(args.out, dict(ignore_outside_fov=args.ignore_outside_fov, images=names))
        track_progress(lambda item: convert(item, args.out, args.ignore_outside_fov), items)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    counts = {split: sum(item.split == split for item in items) for split in ('train', 'test')}
    print(
        f'\nwrote {args.out}: {counts["train"]} images for training, {counts["test"]} for testing'
    )


if __name__ == '__main__':
    main()
