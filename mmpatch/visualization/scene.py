"""The objects and predictions of an image, and how they compare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .box_matching import Boxes, BoxMatches, match_boxes
from .canvas import Colour


@dataclass(frozen=True)
class Scene:
    """The objects and predictions of one image.

    Attributes:
        title: Name of the image.
        classes: Names of the classes, by label.
        colours: Readable colours of the classes, by label.
        objects: Ground truth; None if it is not to be drawn.
        predictions: Predictions above ``score_thr``; None if they are not to be drawn.
        ignored: Regions of the ground truth in which predictions do not count.
        score_thr: Score above which predictions are drawn.
        iou: Overlap from which on an object counts as found.
    """

    title: str
    classes: Sequence[str]
    colours: Sequence[Colour]
    objects: Boxes | None = None
    predictions: Boxes | None = None
    ignored: Boxes | None = None
    score_thr: float = 0.3
    iou: float = 0.5

    @cached_property
    def matches(self) -> BoxMatches | None:
        """Predictions matched with objects; None unless there are both."""
        if self.predictions is None or self.objects is None:
            return None
        return match_boxes(self.predictions, self.objects, self.ignored, self.iou)

    @cached_property
    def plain(self) -> Boxes:
        """Boxes without a special mark: right predictions, or all boxes if nothing is compared."""
        if self.predictions is not None:
            return self.predictions[~self.matches.false] if self.matches else self.predictions
        return self.objects if self.objects is not None else no_boxes()

    @cached_property
    def false(self) -> Boxes:
        """Predictions that match no object."""
        if self.predictions is None or self.matches is None:
            return no_boxes()
        return self.predictions[self.matches.false]

    @cached_property
    def missed(self) -> Boxes:
        """Objects without a prediction."""
        if self.objects is None or self.matches is None:
            return no_boxes()
        return self.objects[self.matches.missed]

    @cached_property
    def corners(self) -> NDArray[Any]:
        """All boxes that are drawn; (N, 4)."""
        return np.concatenate([self.plain.corners, self.false.corners, self.missed.corners])

    @property
    def middle_size(self) -> float:
        """Median side of the boxes, the root of the area [px]; 0 if there are none."""
        sides = np.maximum(self.corners[:, 2:] - self.corners[:, :2], 0)
        return math.sqrt(float(np.median(sides.prod(axis=1)))) if len(sides) else 0.0

    def class_name(self, label: int) -> str:
        """Name of a class, also if the data set has none."""
        return self.classes[label] if label < len(self.classes) else f'class {label}'

    def colours_of(self, boxes: Boxes) -> list[Colour]:
        """Colours of boxes by their classes."""
        return [self.colours[label] for label in boxes.labels]

    def caption(self) -> str:
        """One line that counts found and missed objects."""
        at = f'score > {self.score_thr:g}'
        if self.matches is not None and self.objects is not None:
            ignored = int(self.matches.ignored.sum())
            aside = f', {ignored} in ignored regions' if ignored else ''
            return (
                f'{len(self.objects)} objects, {int(self.matches.found.sum())} found, '
                f'{len(self.missed)} missed, {len(self.false)} false{aside} '
                f'({at}, IoU >= {self.iou:g})'
            )
        if self.predictions is not None:
            return f'{len(self.predictions)} predictions ({at})'
        return 'no boxes to draw' if self.objects is None else f'{len(self.objects)} objects'


def no_boxes() -> Boxes:
    """Zero boxes."""
    return Boxes(np.zeros((0, 4)), np.zeros(0, dtype=int), np.zeros(0))
