"""Drawing on uint8 arrays, by OpenCV (lines) and pillow (text); no matplotlib figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

#: Red, green, blue, 0..255.
Colour: TypeAlias = tuple[int, int, int]
#: Left, top, right, bottom [px]; right and bottom are the first pixels outside.
Region: TypeAlias = tuple[int, int, int, int]

WHITE: Colour = (255, 255, 255)
INK: Colour = (25, 25, 30)
#: A box is drawn at least this large [px of the picture], however small the object.
MIN_SIDE = 3


class Canvas:
    """A picture of a part of an image, at some scale, to draw on.

    Places are given in pixels of the image, widths and text sizes in pixels of the picture, so that
    the same calls draw an overview and a magnified detail.

    Args:
        pixels: The picture, (h, w, 3) RGB uint8; it is drawn on in place.
        origin: Left and top of the picture in the image [px of the image].
        scale: Pixels of the picture for one pixel of the image.
    """

    def __init__(
        self, pixels: NDArray[Any], origin: tuple[int, int] = (0, 0), scale: float = 1.0
    ) -> None:
        self.pixels = pixels
        self.origin = origin
        self.scale = scale

    @classmethod
    def view(cls, image: NDArray[Any], region: Region | None = None, scale: float = 1.0) -> Canvas:
        """Copy a part of an image, reduced with antialiasing or magnified.

        Args:
            image: (H, W, 3) RGB uint8 of any size.
            region: The part, inside the image; all of it by default.
            scale: Pixels of the picture for one pixel of the image.

        Returns:
            A canvas of (h, w, 3), h and w being the region's sides times ``scale``.

        Raises:
            ValueError: If the region is empty or not inside the image.
        """
        height, width = image.shape[:2]
        left, top, right, bottom = region or (0, 0, width, height)
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise ValueError(
                f'the region {region} (left, top, right, bottom) is empty or reaches beyond the '
                f'image of {width} x {height} px'
            )
        part = np.ascontiguousarray(image[top:bottom, left:right])
        if scale != 1:
            size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
            part = cv2.resize(
                part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
            )
        elif part.base is not None or part is image:
            part = part.copy()
        return cls(part, (left, top), scale)

    def to_picture(self, boxes: NDArray[Any]) -> NDArray[Any]:
        """Corners in the picture of boxes in the image.

        Args:
            boxes: (N, 4) left, top, right, bottom [px of the image].

        Returns:
            (N, 4) int, first and last pixels [px of the picture], at least ``MIN_SIDE`` apart.
        """
        moved = (boxes - np.array([*self.origin, *self.origin])) * self.scale
        first = np.floor(moved[:, :2])
        last = np.maximum(np.ceil(moved[:, 2:]) - 1, first + MIN_SIDE - 1)
        return np.concatenate((first, last), axis=1).astype(int)

    def boxes(self, boxes: NDArray[Any], colours: Sequence[Colour], width: int = 1) -> None:
        """Draw the outlines of boxes (N, 4) [px of the image]."""
        for (x0, y0, x1, y1), colour in zip(self.to_picture(boxes).tolist(), colours):
            cv2.rectangle(self.pixels, (x0, y0), (x1, y1), colour, width)

    def crosses(self, boxes: NDArray[Any], colours: Sequence[Colour], width: int = 1) -> None:
        """Cross out boxes (N, 4) [px of the image] by their diagonals."""
        for (x0, y0, x1, y1), colour in zip(self.to_picture(boxes).tolist(), colours):
            cv2.line(self.pixels, (x0, y0), (x1, y1), colour, width, cv2.LINE_AA)
            cv2.line(self.pixels, (x0, y1), (x1, y0), colour, width, cv2.LINE_AA)

    def fill(self, boxes: NDArray[Any], colour: Colour, alpha: float) -> None:
        """Tint the inside of boxes (N, 4) [px of the image]; the same where several lie."""
        inside = self._mask(boxes)
        tinted = self.pixels[inside] * (1 - alpha) + np.array(colour) * alpha
        self.pixels[inside] = tinted.round().astype(np.uint8)

    def dim_outside(self, boxes: NDArray[Any], brightness: float) -> None:
        """Darken all that lies in none of the boxes (N, 4) [px of the image]."""
        outside = ~self._mask(boxes)
        self.pixels[outside] = (self.pixels[outside] * brightness).astype(np.uint8)

    def text(
        self,
        place: tuple[float, float],
        text: str,
        size: int = 13,
        colour: Colour = INK,
        background: Colour | None = None,
    ) -> None:
        """Write a line of text; what does not fit on the picture is cut off.

        Args:
            place: Left and top of the text [px of the picture].
            text: One line.
            size: Height of the letters [px of the picture].
            colour: Of the letters.
            background: Of the rectangle behind them; none by default.
        """
        left, top = max(0, round(place[0])), max(0, round(place[1]))
        width, height = text_size(text, size)
        part = self.pixels[top : top + height, left : left + width]
        if part.size == 0:
            return
        if background is not None:
            part[:] = background
        image = Image.fromarray(np.ascontiguousarray(part))
        ImageDraw.Draw(image).text((2, 0), text, fill=colour, font=font(size))
        part[:] = np.asarray(image)

    def labels(
        self, boxes: NDArray[Any], texts: Sequence[str], colours: Sequence[Colour], size: int = 11
    ) -> list[Region]:
        """Write a text at each box (N, 4) [px of the image], where no other text is already.

        Boxes come in their order. A text that finds no free place above, below or inside its box is left
        out, as two labels on top of each other could not be read.

        Returns:
            Regions of the texts that were written [px of the picture].
        """
        written: list[Region] = []
        for corners, text, colour in zip(self.to_picture(boxes).tolist(), texts, colours):
            width, height = text_size(text, size)
            for left, top in _places(corners, width, height):
                region = (left, top, left + width, top + height)
                if self._is_inside(region) and not any(overlap(region, r) for r in written):
                    written.append(region)
                    self.text((left, top), text, size, INK, colour)
                    break
        return written

    def _mask(self, boxes: NDArray[Any]) -> NDArray[Any]:
        """Say which pixels of the picture lie in a box; (h, w) bool."""
        mask = np.zeros(self.pixels.shape[:2], dtype=np.uint8)
        for x0, y0, x1, y1 in self.to_picture(boxes).tolist():
            cv2.rectangle(mask, (x0, y0), (x1, y1), 1, cv2.FILLED)
        return mask.astype(bool)

    def _is_inside(self, region: Region) -> bool:
        left, top, right, bottom = region
        height, width = self.pixels.shape[:2]
        return left >= 0 and top >= 0 and right <= width and bottom <= height


def _places(corners: Sequence[int], width: int, height: int) -> Iterable[tuple[int, int]]:
    """Where the label of a box may go, best first: above, below, inside; left, then right."""
    x0, y0, x1, y1 = corners
    for top in (y0 - height, y1 + 1, y0 + 1):
        yield x0, top
        yield x1 - width + 1, top


def overlap(one: Region, other: Region) -> bool:
    """Say whether two regions share a pixel."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont:
    """The sans-serif font that matplotlib carries, so that it is there on every machine."""
    path = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf' / 'DejaVuSans.ttf'
    return ImageFont.truetype(str(path), size)


def text_size(text: str, size: int) -> tuple[int, int]:
    """Width and height [px] that a line of text takes, with a small margin."""
    ascent, descent = font(size).getmetrics()
    return round(font(size).getlength(text)) + 4, ascent + descent
