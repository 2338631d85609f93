"""Non-maximum suppression over parts of a scene that come one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from .boxes import Boxes


class RowNMS:
    """Suppresses boxes as if all parts of a scene were there at once.

    Two boxes only meet if they overlap. So once no later box reaches up to a box, all its rivals are
    known. A box is kept back while it may still meet a later one, or while the fate of a better rival
    is open. All others are decided and leave memory: it holds the boxes around the present part.

    Boxes of equal score count in the order in which they came.

    Source: greedy suppression as in mmcv's ``nms``, with the same arithmetic.

    Args:
        threshold: Overlap (intersection over union) above which the box with the lower score is dropped.
        class_agnostic: Whether boxes of different classes suppress each other.
    """

    def __init__(self, threshold: float, class_agnostic: bool = False) -> None:
        self.threshold = threshold
        self.class_agnostic = class_agnostic
        self._undecided = Boxes.none()

    def add(self, found: Boxes, horizon: float) -> Boxes:
        """Add a part and decide what can be decided.

        Args:
            found: The boxes of the part.
            horizon: Smallest top of the boxes that are still to come [px]; infinity after the last.

        Returns:
            Boxes that are now sure to be kept, best first. Each comes once.
        """
        arrived = Boxes.cat([self._undecided, found]) if len(self._undecided) else found
        order = np.argsort(-arrived.scores, kind='stable')
        boxes = arrived[order]
        shapes = shapely.box(*boxes.bboxes.T)
        tree = shapely.STRtree(shapes)
        gone = np.zeros(len(boxes), dtype=np.bool_)
        doubtful = boxes.bboxes[:, 3] > horizon
        kept = []
        for i, shape in enumerate(shapes):
            if gone[i]:
                continue
            near = tree.query(shape)
            worse = self._rivals(boxes, i, near[near > i])
            if doubtful[i]:
                doubtful[worse] = True
            else:
                gone[worse] = True
                kept.append(i)
        # In the order of arrival again, which decides between equal scores.
        self._undecided = arrived[np.sort(order[doubtful & ~gone])]
        return boxes[np.array(kept, dtype=np.int64)]

    def _rivals(self, boxes: Boxes, i: int, others: NDArray[Any]) -> NDArray[Any]:
        """Those among other boxes that box ``i`` suppresses if it is kept."""
        if not self.class_agnostic:
            others = others[boxes.labels[others] == boxes.labels[i]]
        left, top, right, bottom = boxes.bboxes[others].T
        x0, y0, x1, y1 = boxes.bboxes[i]
        width = np.maximum(np.minimum(right, x1) - np.maximum(left, x0), 0)
        height = np.maximum(np.minimum(bottom, y1) - np.maximum(top, y0), 0)
        shared = width * height
        union = (x1 - x0) * (y1 - y0) + (right - left) * (bottom - top) - shared
        with np.errstate(invalid='ignore', divide='ignore'):  # boxes without area meet nothing
            overlaps: NDArray[Any] = shared / union > boxes.bboxes.dtype.type(self.threshold)
        return others[overlaps]


def suppress_rows(
    parts: Iterable[Boxes], tops: NDArray[np.float64], nms: RowNMS
) -> Iterator[Boxes]:
    """Suppress the boxes of parts that are read one after the other.

    Args:
        parts: The parts of a scene, in order.
        tops: (parts,) smallest top of the boxes of each part [px]; infinity for a part without.
        nms: What suppresses them; a new one.

    Yields:
        Boxes that are kept.
    """
    horizons = np.minimum.accumulate(np.append(tops, np.inf)[::-1])[::-1]
    for part, horizon in zip(parts, horizons[1:]):
        yield nms.add(part, float(horizon))
