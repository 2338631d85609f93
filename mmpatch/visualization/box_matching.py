"""Which objects were found, and which predictions are false."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from mmdet.evaluation.functional import bbox_overlaps
from numpy.typing import NDArray


@dataclass(frozen=True)
class Boxes:
    """Boxes of one image, as arrays.

    Attributes:
        corners: (N, 4) left, top, right, bottom [px].
        labels: (N,) int, index of the class.
        scores: (N,) in [0, 1]; all 1 for objects.
    """

    corners: NDArray[Any]
    labels: NDArray[Any]
    scores: NDArray[Any]

    def __len__(self) -> int:
        return len(self.corners)

    def __getitem__(self, chosen: NDArray[Any]) -> Boxes:
        """Take some of the boxes, by a mask or by numbers."""
        return Boxes(self.corners[chosen], self.labels[chosen], self.scores[chosen])


@dataclass(frozen=True)
class BoxMatches:
    """The outcome of :func:`match_boxes`.

    Attributes:
        found: (G,) bool, objects that a prediction matches.
        true: (D,) bool, predictions that match an object.
        ignored: (D,) bool, predictions that count neither as true nor as false.
    """

    found: NDArray[Any]
    true: NDArray[Any]
    ignored: NDArray[Any]

    @property
    def false(self) -> NDArray[Any]:
        """Predictions that match nothing; (D,) bool."""
        return ~(self.true | self.ignored)

    @property
    def missed(self) -> NDArray[Any]:
        """Objects that no prediction matches; (G,) bool."""
        return ~self.found


def match_boxes(
    predictions: Boxes, objects: Boxes, ignored: Boxes | None = None, iou: float = 0.5
) -> BoxMatches:
    """Match predictions with objects of their class, each at most once, as COCO's evaluation does.

    Predictions choose in the order of their scores, each the free object that it overlaps most.
    A prediction without an object that lies by ``iou`` or more of its own area in an ignored
    region of its class is ignored.

    Args:
        predictions: D predictions, all above the threshold that one looks at.
        objects: G objects of the ground truth.
        ignored: Regions where predictions do not count, such as crowds.
        iou: Intersection over union from which on a prediction matches.
    """
    found = np.zeros(len(objects), dtype=bool)
    true = np.zeros(len(predictions), dtype=bool)
    aside = np.zeros(len(predictions), dtype=bool)
    for number in np.argsort(-predictions.scores, kind='stable'):
        corners, label = predictions.corners[[number]], predictions.labels[number]
        free = np.flatnonzero((objects.labels == label) & ~found)
        if len(free):
            overlaps = bbox_overlaps(corners, objects.corners[free])[0]
            if overlaps.max() >= iou:
                found[free[overlaps.argmax()]] = True
                true[number] = True
                continue
        if ignored is not None:
            regions = ignored.corners[ignored.labels == label]
            if len(regions):
                aside[number] = bbox_overlaps(corners, regions, mode='iof').max() >= iou
    return BoxMatches(found, true, aside)
