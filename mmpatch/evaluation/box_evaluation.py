"""pycocotools' matching and curves, read at the areas and detection limits that one names.

Shapes of pycocotools' arrays: T IoU thresholds, R recall thresholds (101), K categories, A area
ranges, M detection limits. Means leave out the -1 that stands for "no such ground truth"; a mean
over nothing is -1.
"""

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from mmdet.datasets.api_wrappers import COCO, COCOeval

AreaRanges = Mapping[str, tuple[float, float]]
#: Areas [px^2] of the COCO benchmark; both ends belong to a range.
COCO_AREAS: AreaRanges = {
    'all': (0.0, 1e10),
    's': (0.0, 32.0**2),
    'm': (32.0**2, 96.0**2),
    'l': (96.0**2, 1e10),
}
RECALL_IOU = 0.5
#: False positives per image at which miss rates are read.
FALSE_POSITIVES = 10.0 ** np.linspace(-2, 0, 9)
#: Miss rate that stands for 0 in a mean of logarithms.
SMALLEST_MISS_RATE = 1e-10


def index_coco(
    images: Iterable[Mapping[str, Any]],
    categories: Iterable[Mapping[str, Any]],
    annotations: Iterable[Mapping[str, Any]],
) -> COCO:
    """Return an indexed COCO object whose annotations are numbered from 1.

    pycocotools writes the matched annotation's id where 0 means "no match", so that the annotation
    with id 0 of a file that counts from 0 would never be found.

    Args:
        images: COCO images.
        categories: COCO categories.
        annotations: COCO annotations; ``area`` [px^2] is filled in from ``bbox`` where it is
            missing.
    """
    coco = COCO()
    numbered = []
    for number, annotation in enumerate(annotations, start=1):
        area = annotation['bbox'][2] * annotation['bbox'][3]
        numbered.append({'iscrowd': 0, 'area': area} | dict(annotation) | {'id': number})
    coco.dataset = {'images': list(images), 'categories': list(categories), 'annotations': numbered}
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def size_areas(bins: Sequence[float]) -> dict[str, tuple[float, float]]:
    """Area ranges of objects between sides, for :class:`BoxEvaluation`.

    Args:
        bins: Sides [px] at which a new range begins, positive and ascending; the side of an object is
            the square root of its area.

    Returns:
        Name, as ``'0-32'``, ``'32-64'``, ``'64+'`` -> smallest and largest area [px^2]. An object whose side
        is one of the bins belongs to the range that begins there. Empty without bins.

    Raises:
        ValueError: If a bin is not positive, or bins do not ascend.
    """
    given = list(bins)
    if not all(0 < low < high for low, high in zip(given, [*given[1:], float('inf')])):
        raise ValueError(
            f'size_bins={given}: expected positive sides of objects in px, each larger than the one '
            'before; give them as size_bins=(32, 64, 256, 512)'
        )
    if not given:
        return {}
    edges = [0.0, *(float(side) ** 2 for side in given)]
    # pycocotools counts both ends, so a range ends just below the next one.
    ends = [*(float(np.nextafter(edge, 0)) for edge in edges[1:]), COCO_AREAS['all'][1]]
    names = [f'{low:g}-{high:g}' for low, high in zip([0, *given], given)]
    return dict(zip([*names, f'{given[-1]:g}+'], zip(edges, ends)))


class BoxEvaluation:
    """One run of ``COCOeval`` on boxes.

    Args:
        truth: Ground truth; annotation ids must not be 0 (see :func:`index_coco`).
        detections: Detections of the same images and categories.
        category_ids: Categories to evaluate, in the order of the labels.
        image_ids: Images to evaluate.
        max_dets: Detections that count per image and category, in ascending order.
        areas: Name -> smallest and largest area [px^2] that counts; needs one named ``'all'``.
        iou_thresholds: IoU thresholds of AP; must contain 0.5. Defaults to 0.5, 0.55, ..., 0.95.
    """

    def __init__(
        self,
        truth: COCO,
        detections: COCO,
        category_ids: Sequence[int],
        image_ids: Sequence[int],
        max_dets: Sequence[int],
        areas: AreaRanges = COCO_AREAS,
        iou_thresholds: Sequence[float] | None = None,
    ) -> None:
        self.areas = list(areas)
        self.max_dets = sorted(max_dets)
        evaluation = COCOeval(truth, detections, 'bbox')
        parameters = evaluation.params
        parameters.catIds = list(category_ids)
        parameters.imgIds = list(image_ids)
        parameters.maxDets = self.max_dets
        parameters.areaRng = [list(areas[name]) for name in self.areas]
        parameters.areaRngLbl = self.areas
        if iou_thresholds is not None:
            parameters.iouThrs = np.asarray(iou_thresholds, dtype=float)
        self.iou_thresholds: npt.NDArray[np.float64] = parameters.iouThrs
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.evaluate()
            evaluation.accumulate()
        # COCOeval sorts the category ids; give each category its place in category_ids back.
        places = np.searchsorted(np.unique(category_ids), category_ids)
        #: Precision at each recall threshold, shape (T, R, K, A, M).
        self.precision: npt.NDArray[np.float64] = evaluation.eval['precision'][:, :, places]
        # evalImgs runs over categories, then areas, then images; None where an image has neither
        # box nor detection.
        blocks = len(category_ids), len(self.areas), len(image_ids)
        flat = np.empty(len(evaluation.evalImgs), dtype=object)
        flat[:] = evaluation.evalImgs
        self._matches: dict[str, list[dict[str, Any]]] = {
            name: [match for match in flat.reshape(blocks)[:, number].ravel() if match is not None]
            for number, name in enumerate(self.areas)
        }

    def average_precision(
        self,
        max_dets: int,
        area: str = 'all',
        iou: float | None = None,
        category: int | None = None,
    ) -> float:
        """Return the mean precision over recalls, in [0, 1]; -1 if there is no such ground truth.

        Args:
            max_dets: One of the detection limits.
            area: Name of an area range.
            iou: One IoU threshold; the mean over all if None.
            category: Index of one category; the mean over all if None.
        """
        precision = self.precision[..., self.areas.index(area), self.max_dets.index(max_dets)]
        if iou is not None:
            precision = precision[[self._threshold(iou)]]
        if category is not None:
            precision = precision[..., category]
        precision = precision[precision > -1]
        return float(precision.mean()) if precision.size else -1.0

    def objects(self, area: str = 'all') -> int:
        """Return the number of ground-truth boxes of all classes that count.

        Args:
            area: Name of an area range.
        """
        return sum(int((np.asarray(m['gtIgnore']) == 0).sum()) for m in self._matches[area])

    def recall(self, min_score: float = 0.0, area: str = 'all') -> float:
        """Return the share of ground-truth boxes found, over all classes, at IoU 0.5; -1 if there are none.

        Matching is greedy by descending score, so that matches above a score do not depend on those
        below it. The largest detection limit applies per image and category.

        Args:
            min_score: Only detections of at least this score count.
            area: Name of an area range. A detection may lie outside; the object that it finds counts.
        """
        threshold = self._threshold(RECALL_IOU)
        boxes, found = self.objects(area), 0
        for match in self._matches[area]:
            hit = (match['dtMatches'][threshold] > 0) & ~match['dtIgnore'][threshold].astype(bool)
            found += int((hit & (np.asarray(match['dtScores']) >= min_score)).sum())
        return found / boxes if boxes else -1.0

    def miss_rate(self, num_images: int) -> float:
        """Return the log-average miss rate at IoU 0.5, over all classes; -1 if there are no boxes.

        This is the geometric mean of the miss rates at 0.01, 0.018, ..., 1 false positives per image. A
        detector that never reaches so few counts as finding nothing.

        Args:
            num_images: Images, those without box and detection included.

        Source: Dollar et al., Pedestrian Detection: An Evaluation of the State of the Art, TPAMI
        2012.
        """
        threshold = self._threshold(RECALL_IOU)
        boxes = self.objects()
        if not boxes:
            return -1.0
        matches = self._matches['all']
        scores = np.concatenate([m['dtScores'] for m in matches])
        hits = np.concatenate([m['dtMatches'][threshold] > 0 for m in matches])
        counts = ~np.concatenate([m['dtIgnore'][threshold] for m in matches]).astype(bool)
        order = np.argsort(-scores[counts], kind='mergesort')
        hits = hits[counts][order]
        false_positives = np.cumsum(~hits) / num_images
        recalls = np.concatenate([[0.0], np.cumsum(hits) / boxes])
        # The last detection up to which there are no more false positives than allowed.
        reached = recalls[np.searchsorted(false_positives, FALSE_POSITIVES, side='right')]
        return float(np.exp(np.log(np.maximum(1 - reached, SMALLEST_MISS_RATE)).mean()))

    def _threshold(self, iou: float) -> int:
        """Return the index of an IoU threshold."""
        index = int(np.abs(self.iou_thresholds - iou).argmin())
        if abs(self.iou_thresholds[index] - iou) > 1e-6:
            raise ValueError(
                f'IoU {iou} is not among the thresholds {self.iou_thresholds.tolist()}: add it'
            )
        return index
