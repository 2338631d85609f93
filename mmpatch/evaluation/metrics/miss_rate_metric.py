"""The miss rate of pedestrian benchmarks, beside AP."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmdet.datasets.api_wrappers import COCO

from mmpatch.evaluation.box_evaluation import BoxEvaluation, index_coco
from mmpatch.evaluation.metrics.patch_coco_metric import PatchCocoMetric
from mmpatch.registry import METRICS

#: Detections this much outside a subset's heights still take part.
HEIGHT_SLACK = 1.25


@dataclass(frozen=True)
class Subset:
    """Pedestrians that count.

    Attributes:
        heights: Smallest and largest height [px].
        visible: Smallest and largest visible share, in [0, 1].
    """

    heights: tuple[float, float] = (50, math.inf)
    visible: tuple[float, float] = (0.65, 1.0)

    def counts(self, annotation: Mapping[str, Any]) -> bool:
        """Whether a box of the ground truth counts; all others are ignore regions."""
        low, high = self.heights
        least, most = self.visible
        height = annotation.get('height', annotation['bbox'][3])
        return low <= height <= high and least <= annotation['vis_ratio'] <= most

    def takes(self, detection: Mapping[str, Any]) -> bool:
        """Whether a detection takes part."""
        low, high = self.heights
        return bool(low / HEIGHT_SLACK <= detection['bbox'][3] < high * HEIGHT_SLACK)


@METRICS.register_module()
class MissRateMetric(PatchCocoMetric):
    """Log-average miss rate of pedestrians in five subsets, lower is better, and AP.

    The logarithm of the miss rate is averaged over nine rates of false positives per image, from 0.01
    to 1, at IoU 0.5. Boxes outside a subset are ignore regions in it, and so are those marked
    ``ignore`` or ``iscrowd``. Reported under ``prefix``, each as a share in [0, 1] (-1 if nobody is
    in the subset), and :class:`PatchCocoMetric`'s numbers:

    - ``MR_R`` (reasonable): at least 50 px high, at least 0.65 visible;
    - ``MR_RS`` (reasonable, small): 50 to 75 px high, at least 0.65 visible;
    - ``MR_HO`` (heavily occluded): at least 50 px high, 0.2 to 0.65 visible;
    - ``MR_R+HO``: at least 50 px high, at least 0.2 visible;
    - ``MR_A`` (all): at least 20 px high, at least 0.2 visible.

    Args:
        ann_file: COCO JSON whose annotations have ``vis_ratio``, the visible share of the box, and
            may have ``height`` [px] (by default the height of the box).
        **kwargs: Of :class:`PatchCocoMetric`.

    Raises:
        ValueError: If there is no ``ann_file``, or an annotation has no ``vis_ratio``.

    Source: Dollar et al., Pedestrian Detection: An Evaluation of the State of the Art, TPAMI 2012;
    Zhang et al., CityPersons, CVPR 2017; Pang et al., TJU-DHD, TIP 2020.
    """

    default_prefix: str | None = 'pedestrian'
    SUBSETS: Mapping[str, Subset] = {
        'R': Subset(),
        'RS': Subset(heights=(50, 75)),
        'HO': Subset(visible=(0.2, 0.65)),
        'R+HO': Subset(visible=(0.2, 1.0)),
        'A': Subset(heights=(20, math.inf), visible=(0.2, 1.0)),
    }

    def __init__(self, ann_file: str | None = None, **kwargs: Any) -> None:
        if ann_file is None:
            raise ValueError(
                'MissRateMetric got no ann_file: only the annotation file says how much of a pedestrian '
                'is visible, so give the annotation file of the split'
            )
        super().__init__(ann_file=ann_file, **kwargs)
        for annotation in self._coco_api.dataset.get('annotations', []):
            if 'vis_ratio' not in annotation:
                raise ValueError(
                    f'annotation {annotation.get("id")} of {ann_file} has no vis_ratio, the visible '
                    'share of its box: the miss rate needs it (for AP alone use '
                    'mmpatch.PatchCocoMetric)'
                )

    def compute_metrics(
        self, results: list[tuple[dict[str, Any], dict[str, Any]]]
    ) -> dict[str, float]:
        """Compute the metrics of all images."""
        metrics = super().compute_metrics(results)
        if self.format_only:
            return metrics
        gts, predictions = zip(*results, strict=True)
        truth = self.ground_truth(gts)
        found = self.detections(truth, predictions)
        rates = {
            f'MR_{name}': self.miss_rate(truth, found, subset)
            for name, subset in self.SUBSETS.items()
        }
        return rates | metrics

    def miss_rate(self, truth: COCO, found: COCO, subset: Subset) -> float:
        """Log-average miss rate of a subset, in [0, 1]; -1 if nobody is in it."""
        parts = truth.dataset['images'], truth.dataset['categories']
        boxes = [
            {**box, 'iscrowd': int(bool(box['iscrowd']) or not subset.counts(box))}
            for box in truth.dataset['annotations']
        ]
        detections = [box for box in found.dataset['annotations'] if subset.takes(box)]
        return BoxEvaluation(
            index_coco(*parts, boxes),
            index_coco(*parts, detections),
            self.cat_ids,
            self.img_ids,
            max_dets=[self.max_dets],
            iou_thresholds=[0.5],
        ).miss_rate(len(self.img_ids))
