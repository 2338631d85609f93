"""Boxes that lie outside their image or have no area: found before training, never dropped in silence."""

import math
from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log

MODES = ('error', 'clip', 'drop')
#: A box may stick out by this many px before it counts as invalid: annotation tools round.
TOLERANCE = 1.0
SHOWN = 5


class BoxCheck:
    """Check the boxes of one annotation file, and report once what was found.

    A box is invalid if it sticks out of the image by more than 1 px on any side, or if no area of
    it lies inside.

    Args:
        mode: ``'error'`` makes :meth:`report` raise, ``'clip'`` cuts boxes at the image border and
            leaves out what then has no area, ``'drop'`` leaves invalid boxes out.

    Raises:
        ValueError: If ``mode`` is none of these.
    """

    def __init__(self, mode: str = 'error') -> None:
        if mode not in MODES:
            raise ValueError(
                f'invalid_boxes={mode!r}: expected one of {", ".join(map(repr, MODES))}'
            )
        self.mode = mode
        self.total = 0
        self.clipped = 0
        self.dropped = 0
        self.examples: list[str] = []

    def check(self, annotation: Mapping[str, Any], image: Mapping[str, Any]) -> list[float] | None:
        """Return the box to train with, or None if the annotation has none.

        Args:
            annotation: A COCO annotation with ``bbox`` = x, y, width, height [px].
            image: The COCO image that it belongs to, with ``file_name``, ``width`` and ``height``
                [px].

        Returns:
            x1, y1, x2, y2 [px]: the box as it is if it is valid, the part inside the image with
            ``'clip'``.
        """
        self.total += 1
        corners = _corners(annotation.get('bbox'))
        inside = corners and _clip(corners, image['width'], image['height'])
        if (
            corners
            and inside
            and max(abs(a - b) for a, b in zip(corners, inside, strict=True)) <= TOLERANCE
        ):
            return corners
        if len(self.examples) < SHOWN:
            self.examples.append(
                f'{image["file_name"]} ({image["width"]} x {image["height"]} px), annotation '
                f'{annotation.get("id")}: bbox (x, y, width, height) = {annotation.get("bbox")}'
            )
        if self.mode == 'clip' and inside:
            self.clipped += 1
            return inside
        self.dropped += 1
        return None

    def report(self, source: str) -> None:
        """Raise or log once, if there was any invalid box.

        Args:
            source: Name of the annotation file.

        Raises:
            ValueError: In mode ``'error'``: how many boxes are invalid, which are the first, what
                to do.
        """
        invalid = self.clipped + self.dropped
        if invalid == 0:
            return
        if self.mode == 'error':
            listed = ''.join(f'\n  {example}' for example in self.examples)
            more = (
                f'\n  ... and {invalid - len(self.examples)} more'
                if invalid > len(self.examples)
                else ''
            )
            raise ValueError(
                f'{invalid} of {self.total} annotations in {source} have an invalid box (more '
                f'than {TOLERANCE:.0f} px outside the image, or without area):{listed}{more}\n'
                "Correct the file, or set invalid_boxes='clip' (cut boxes at the image border) or "
                "invalid_boxes='drop' (leave them out) in the dataset's config."
            )
        print_log(
            f'{source}: of {self.total} boxes, {invalid} were invalid: {self.clipped} clipped to '
            f'the image, {self.dropped} left out (invalid_boxes={self.mode!r})',
            logger='current',
        )


def _corners(bbox: Any) -> list[float] | None:
    """Return x1, y1, x2, y2 of a COCO box, None if it is not four finite numbers."""
    try:
        x, y, width, height = (float(value) for value in bbox)
    except (TypeError, ValueError):
        return None
    corners = [x, y, x + width, y + height]
    return corners if all(map(math.isfinite, corners)) else None


def _clip(corners: list[float], width: float, height: float) -> list[float] | None:
    """Return the part of a box inside the image, None if it has no area."""
    x1, y1, x2, y2 = corners
    inside = [max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))]
    return inside if inside[2] > inside[0] and inside[3] > inside[1] else None
