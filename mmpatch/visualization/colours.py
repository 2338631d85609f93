"""Colours of classes that are seen on a photograph, and told apart."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .canvas import Colour

#: Luminance that a line needs to be seen on a photograph.
READABLE_LUMINANCE = 145
LUMINANCE_WEIGHTS = np.array([0.299, 0.587, 0.114])
#: Two colours that are less than this apart (in RGB, 0..255) look the same in a thin line.
TOLD_APART = 60
#: Hues that are given to classes, in turns: without red and orange, which mark errors.
FIRST_HUE, LAST_HUE = 0.16, 0.92
GOLDEN_RATIO = 0.618034


def class_colours(palette: Sequence[Sequence[int]]) -> list[Colour]:
    """Colours of classes: the brightened palette if its colours stay apart, else other colours.

    Args:
        palette: Red, green, blue, 0..255, of each class.
    """
    colours = [readable(colour) for colour in palette]
    table = np.array(colours, dtype=float).reshape(-1, 3)
    distances = np.linalg.norm(table[:, None] - table, axis=-1)
    distances[np.diag_indices(len(table))] = np.inf
    if distances.min(initial=np.inf) >= TOLD_APART:
        return colours
    return [_hue(number) for number in range(len(palette))]


def readable(colour: Sequence[int]) -> Colour:
    """Brighten a colour as far as a line on a photograph needs it; keeps the hue.

    Args:
        colour: Red, green, blue, 0..255, of any brightness.
    """
    rgb = np.asarray(colour, dtype=float)
    luminance = float(rgb @ LUMINANCE_WEIGHTS)
    if luminance < READABLE_LUMINANCE and rgb.max() > 0:
        rgb = rgb * min(255 / rgb.max(), READABLE_LUMINANCE / luminance)
        luminance = float(rgb @ LUMINANCE_WEIGHTS)
    if luminance < READABLE_LUMINANCE:
        white = (READABLE_LUMINANCE - luminance) / (255 - luminance)
        rgb = rgb + (255 - rgb) * white
    return _colour(rgb)


def _hue(number: int) -> Colour:
    """The colour of a class by its number; neighbours are far apart on the colour wheel."""
    hue = FIRST_HUE + (LAST_HUE - FIRST_HUE) * (number * GOLDEN_RATIO % 1)
    lightness = (0.55, 0.72)[number // 8 % 2]
    return readable([round(255 * value) for value in colorsys.hls_to_rgb(hue, lightness, 1.0)])


def _colour(rgb: NDArray[Any]) -> Colour:
    red, green, blue = (int(value) for value in rgb.round().clip(0, 255))
    return red, green, blue
