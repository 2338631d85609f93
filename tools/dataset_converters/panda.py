"""PANDA: look through the slides and write split files.

Usage:
    python tools/dataset_converters/panda.py data/panda

SOURCE holds ``train.csv`` (image_id, data_provider, isup_grade, gleason_score) and ``train_images/ID.tiff`` (Kaggle,
prostate-cancer-grade-assessment). Slides that are missing or cannot be read to their end are named, counted and left
out. Writes ``SOURCE/splits/{train,val,test}.txt``, an ID a line: 1000 for validation and 1000 for testing as in the
paper, which does not say which; here a seed draws them, the same share of every grade.
"""

import argparse
import csv
import random
import sys
from pathlib import Path

from mmengine.utils import track_parallel_progress

from mmpatch.datasets.raster_image import RasterImage
from mmpatch.utils.files import write_atomic

NEEDED = ('image_id', 'isup_grade')


def read_grades(source: Path) -> dict[str, int]:
    """Grades by name of slide.

    Raises:
        FileNotFoundError: If there is no ``train.csv``.
        ValueError: If it lacks a column.
    """
    path = source / 'train.csv'
    if not path.is_file():
        raise FileNotFoundError(
            f'no train.csv in {source.resolve()}: pass the folder of the archive'
        )
    with path.open(newline='') as file:
        rows = csv.DictReader(file)
        lacking = [name for name in NEEDED if name not in (rows.fieldnames or ())]
        if lacking:
            raise ValueError(f'{path} lacks the column(s) {lacking}, it has {rows.fieldnames}')
        return {row['image_id']: int(row['isup_grade']) for row in rows}


def fault(path: Path) -> str:
    """What is wrong with a slide; empty if it can be read to its end."""
    try:
        slide = RasterImage(path)
        _, height, width = slide.shape
        slide[:, height - 1 :, :]  # a truncated file lacks its end
        slide.view((0, 0, width, height), (64, 64))
    except (FileNotFoundError, ValueError) as error:
        return str(error)
    return ''


def draw(grades: dict[str, int], counts: dict[str, int], seed: int) -> dict[str, list[str]]:
    """Split names so that each split has the same share of every grade.

    Args:
        grades: Grade of each name.
        counts: Names of splits and how many images each gets; the first takes what is left.
        seed: Of the draw.

    Returns:
        Sorted names of each split.
    """
    rng = random.Random(seed)
    groups: dict[int, list[str]] = {}
    for name in sorted(grades):
        groups.setdefault(grades[name], []).append(name)
    order = []
    for names in groups.values():
        rng.shuffle(names)
        order += [((i + 0.5) / len(names), name) for i, name in enumerate(names)]
    mixed = [name for _, name in sorted(order)]  # every stretch of it has all grades in their share
    first, *others = counts
    splits, start = {}, 0
    for split in others:
        splits[split] = sorted(mixed[start : start + counts[split]])
        start += counts[split]
    return {first: sorted(mixed[start:]), **splits}


def main(argv: list[str] | None = None) -> None:
    """Check the slides and write the split files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', type=Path)
    parser.add_argument('--val', type=int, default=1000, help='number of slides')
    parser.add_argument('--test', type=int, default=1000, help='number of slides')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=2)
    args = parser.parse_args(argv)
    try:
        grades = read_grades(args.source)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    paths = [args.source / 'train_images' / f'{name}.tiff' for name in grades]
    faults = track_parallel_progress(fault, paths, args.workers, keep_order=True)
    bad = {path.stem: text for path, text in zip(paths, faults) if text}
    for text in bad.values():
        print(f'\nleft out: {text}', end='')
    good = {name: grade for name, grade in grades.items() if name not in bad}
    if len(good) <= args.val + args.test:
        sys.exit(
            f'\nerror: {len(good)} of {len(grades)} slides can be read, which leaves none for '
            f'training beside {args.val} for validation and {args.test} for testing'
        )
    splits = draw(good, {'train': 0, 'val': args.val, 'test': args.test}, args.seed)
    for split, names in splits.items():
        write_atomic(args.source / 'splits' / f'{split}.txt', ('\n'.join(names) + '\n').encode())
    sizes = ', '.join(f'{len(names)} {split}' for split, names in splits.items())
    print(f'\nwrote {args.source}/splits: {sizes}; {len(bad)} of {len(grades)} slides left out')


if __name__ == '__main__':
    main()
