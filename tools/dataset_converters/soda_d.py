"""Write SODA-D's annotation files without the category 'ignore', as its official evaluation takes them.

Beside each ``rawData/Annotations/{train,val,test}.json`` a ``*_wo_ignore.json`` is written, without
category 10 and its annotations. mmpatch's own metric gives the same result on both; other tools
need the files without.

Usage:
    python tools/dataset_converters/soda_d.py data/SODA-D
    python tools/dataset_converters/soda_d.py data/SODA-D --splits val test --overwrite
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import track

from mmpatch.datasets.sodad_dataset import IGNORE_ID, SODADDataset
from mmpatch.utils.files import write_atomic

SPLITS = ('train', 'val', 'test')


def validate(coco: Any, source: str) -> None:
    """Check that a loaded JSON is an annotation file of SODA-D.

    Args:
        coco: The loaded JSON.
        source: Its name, for messages.

    Raises:
        ValueError: If a part is missing, the nine classes are others, or an annotation refers to an
            image or a category that is not there.
    """
    parts = ('images', 'annotations', 'categories')
    if not isinstance(coco, dict) or any(not isinstance(coco.get(part), list) for part in parts):
        raise ValueError(
            f'{source} is not COCO JSON: expected an object with the lists {", ".join(parts)}'
        )
    names = [category['name'] for category in coco['categories'] if category['id'] != IGNORE_ID]
    expected = list(SODADDataset.METAINFO['classes'])
    if names != expected:
        raise ValueError(
            f'{source} has the categories {names}, expected those of SODA-D: {expected}'
        )
    images = {image['id'] for image in coco['images']}
    categories = {category['id'] for category in coco['categories']} | {IGNORE_ID}
    for annotation in coco['annotations']:
        if annotation['image_id'] not in images or annotation['category_id'] not in categories:
            raise ValueError(
                f'annotation {annotation.get("id")} in {source} refers to image '
                f'{annotation["image_id"]} and category {annotation["category_id"]}, which are '
                'not both in the file: fetch the file again'
            )


def without_ignore(coco: dict[str, Any]) -> dict[str, Any]:
    """Return the annotations without category 10; the input is left as it is."""
    return {
        **coco,
        'categories': [c for c in coco['categories'] if c['id'] != IGNORE_ID],
        'annotations': [a for a in coco['annotations'] if a['category_id'] != IGNORE_ID],
    }


def convert_file(source: Path) -> tuple[Path, int, int]:
    """Write the ``*_wo_ignore.json`` of one annotation file.

    Args:
        source: The raw annotation file.

    Returns:
        The file written, and how many annotations were kept and left out.

    Raises:
        ValueError: If it is not an annotation file of SODA-D.
    """
    try:
        coco = json.loads(source.read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise ValueError(f'{source} is not valid JSON ({error}): fetch it again') from error
    validate(coco, str(source))
    clean = without_ignore(coco)
    write_atomic(target_of(source), json.dumps(clean).encode())
    kept = len(clean['annotations'])
    return target_of(source), kept, len(coco['annotations']) - kept


def target_of(source: Path) -> Path:
    """Return the path that is written beside a raw annotation file."""
    return source.with_name(f'{source.stem}_wo_ignore.json')


def raw_files(root: Path, splits: Sequence[str]) -> list[Path]:
    """Return the raw annotation files of the splits.

    Raises:
        FileNotFoundError: If one is missing.
    """
    files = [root / 'rawData' / 'Annotations' / f'{split}.json' for split in splits]
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(
                f'no annotations at {file.resolve()}. {SODADDataset.HOW_TO_GET}. Choose the '
                'splits that you have with --splits'
            )
    return files


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Write *_wo_ignore.json beside the raw annotation files of SODA-D: category 10 (ignore) and its '
        'annotations removed.'
    )
    parser.add_argument('root', type=Path, help='folder that holds rawData/, as data/SODA-D')
    parser.add_argument(
        '--splits', nargs='+', choices=SPLITS, default=SPLITS, help='default: all three'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace files that are there')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Convert every split that was asked for."""
    args = parse_args(argv)
    try:
        files = raw_files(args.root, args.splits)
        there = [str(target_of(file)) for file in files if target_of(file).exists()]
        if there and not args.overwrite:
            raise ValueError(f'{", ".join(there)} already there: pass --overwrite to write again')
        written = [convert_file(file) for file in track(files, description='removing ignore')]
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    for target, kept, left_out in written:
        print(f'wrote {target}: {kept} annotations, {left_out} of category ignore left out')


if __name__ == '__main__':
    main()
