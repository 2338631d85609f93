"""Putting pictures and captions together on one white page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .canvas import INK, WHITE, Canvas, Colour, text_size

#: Space between the parts of a page [px].
GAP = 12
TEXT_SIZE = 14


def beside(pictures: Sequence[NDArray[Any]], gap: int = GAP) -> NDArray[Any]:
    """Put pictures (h, w, 3) side by side, their tops aligned."""
    height = max(picture.shape[0] for picture in pictures)
    width = sum(picture.shape[1] for picture in pictures) + gap * (len(pictures) - 1)
    page = blank(height, width)
    left = 0
    for picture in pictures:
        page[: picture.shape[0], left : left + picture.shape[1]] = picture
        left += picture.shape[1] + gap
    return page


def below(pictures: Sequence[NDArray[Any]], gap: int = GAP) -> NDArray[Any]:
    """Put pictures (h, w, 3) one below the other, their left sides aligned."""
    return beside([picture.swapaxes(0, 1) for picture in pictures], gap).swapaxes(0, 1)


def framed(picture: NDArray[Any], gap: int = GAP) -> NDArray[Any]:
    """Leave a margin around a picture (h, w, 3); the page is contiguous."""
    page = blank(picture.shape[0] + 2 * gap, picture.shape[1] + 2 * gap)
    page[gap:-gap, gap:-gap] = picture
    return page


def paragraph(text: str, width: int, size: int = TEXT_SIZE, colour: Colour = INK) -> NDArray[Any]:
    """Set a text in lines that are at most ``width`` [px] wide, where its words allow it.

    Returns:
        (h, width, 3) RGB uint8.
    """
    lines: list[str] = []
    for word in text.split():
        if lines and text_size(f'{lines[-1]} {word}', size)[0] <= width:
            lines[-1] += f' {word}'
        else:
            lines.append(word)
    height = text_size('', size)[1]
    canvas = Canvas(blank(height * max(1, len(lines)), width))
    for number, line in enumerate(lines):
        canvas.text((0, number * height), line, size, colour)
    return canvas.pixels


def legend(
    entries: Sequence[tuple[NDArray[Any], str]], width: int, size: int = TEXT_SIZE
) -> NDArray[Any]:
    """Set swatches and their meanings in as many rows as they need.

    Args:
        entries: Swatches (h, w, 3), all of one size, and what each means.
        width: Width of the page [px].
        size: Height of the letters [px].

    Returns:
        (h, width, 3) RGB uint8.
    """
    places: list[tuple[int, int]] = []
    left, top = 0, 0
    line = max([text_size('', size)[1]] + [swatch.shape[0] for swatch, _ in entries]) + 4
    for swatch, text in entries:
        needed = swatch.shape[1] + 4 + text_size(text, size)[0]
        if left > 0 and left + needed > width:
            left, top = 0, top + line
        places.append((left, top))
        left += needed + 2 * size
    canvas = Canvas(blank(top + line, width))
    for (left, top), (swatch, text) in zip(places, entries):
        part = canvas.pixels[top + 1 : top + 1 + swatch.shape[0], left : left + swatch.shape[1]]
        part[:] = swatch[: part.shape[0], : part.shape[1]]
        canvas.text((left + swatch.shape[1] + 4, top), text, size)
    return canvas.pixels


def blank(height: int, width: int) -> NDArray[Any]:
    """A white picture (height, width, 3), RGB uint8."""
    return np.full((height, width, 3), WHITE, dtype=np.uint8)
