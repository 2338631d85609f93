"""The benchmark of SODA-D, on original images."""

from collections.abc import Mapping
from typing import Any

from mmpatch.evaluation.box_evaluation import AreaRanges, BoxEvaluation
from mmpatch.evaluation.metrics.patch_coco_metric import COCO_MAX_DETS, PatchCocoMetric
from mmpatch.registry import METRICS


@METRICS.register_module()
class SODADMetric(PatchCocoMetric):
    """AP of the SODA-D benchmark: small objects only, on the coordinates of the original images.

    Areas [px^2] of the original image, both ends included: eS (extremely small) 0-144, rS
    (relatively small) 144-400, gS (generally small) 400-1024, N (normal) 1024-2000. The headline
    counts objects of at most 1024 px^2 and 100 detections per image and class. A ground-truth box or
    an unmatched detection outside an area range neither counts nor costs in it.

    Annotations of the category ``ignore`` take no part: a detection there is a false positive, as
    in the official protocol, which removes them from the file. ``iscrowd`` is read as 0.

    Reported under ``prefix``: ``AP``, ``AP50``, ``AP75`` (headline), ``AP_eS``, ``AP_rS``,
    ``AP_gS``, ``AP_N`` (100 detections), ``AP@1000`` (headline with ``max_dets``, 1000 by default),
    ``recall50`` and ``recall50_score<S>`` (boxes of every area). The table of classes counts
    ``max_dets`` detections.

    Predictions must be in original image coordinates, that is rescaled, where the pipeline
    stretched the image.

    Args:
        ann_file: A SODA-D annotation file, raw or ``*_wo_ignore.json``: the result is the same.
        **kwargs: Of :class:`PatchCocoMetric`.

    Raises:
        ValueError: If there is no ``ann_file``: what the data samples carry does not tell
            ``iscrowd`` from ``ignore``.

    Source: Cheng et al., Towards Large-Scale Small Object Detection: Survey and Benchmarks, TPAMI
    2023.
    """

    default_prefix: str | None = 'soda_d'
    AREAS: AreaRanges = {
        'all': (0.0, 1e10),
        'small': (0.0, 1024.0),
        'eS': (0.0, 144.0),
        'rS': (144.0, 400.0),
        'gS': (400.0, 1024.0),
        'N': (1024.0, 2000.0),
    }

    def __init__(self, ann_file: str | None = None, **kwargs: Any) -> None:
        if ann_file is None:
            raise ValueError(
                'SODADMetric got no ann_file: give it the annotation file of the split, as '
                "ann_file='data/SODA-D/rawData/Annotations/val.json'"
            )
        super().__init__(ann_file=ann_file, **kwargs)

    def read_metrics(self, evaluation: BoxEvaluation) -> dict[str, float]:
        """Read the reported numbers off an evaluation."""
        ap = evaluation.average_precision
        metrics = {
            'AP': ap(COCO_MAX_DETS, 'small'),
            'AP50': ap(COCO_MAX_DETS, 'small', iou=0.5),
            'AP75': ap(COCO_MAX_DETS, 'small', iou=0.75),
        }
        metrics |= {f'AP_{area}': ap(COCO_MAX_DETS, area) for area in ('eS', 'rS', 'gS', 'N')}
        metrics[f'AP@{self.max_dets}'] = ap(self.max_dets, 'small')
        return metrics | self.read_recalls(evaluation)

    @property
    def table_area(self) -> str:
        """Area range of the table of classes."""
        return 'small'

    def truth_box(self, annotation: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the annotation with ``iscrowd`` 0, as the official evaluation reads it."""
        return {**annotation, 'iscrowd': 0}
