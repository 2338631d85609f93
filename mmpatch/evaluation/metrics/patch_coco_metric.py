"""COCO box metrics for images that hold hundreds of objects."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmdet.datasets.api_wrappers import COCO
from mmdet.evaluation import CocoMetric
from mmengine.logging import print_log
from terminaltables import AsciiTable

from mmpatch.datasets.missing_data import require_file
from mmpatch.evaluation.box_evaluation import (
    COCO_AREAS,
    AreaRanges,
    BoxEvaluation,
    index_coco,
    size_areas,
)
from mmpatch.registry import METRICS

COCO_MAX_DETS = 100
HOW_TO_GET = 'Check ann_file of val_evaluator and test_evaluator; docs/datasets.md says how to get each data set'


@METRICS.register_module()
class PatchCocoMetric(CocoMetric):
    """Box AP that counts up to ``max_dets`` detections per image and category in each of its numbers.

    mmdet's ``CocoMetric`` counts 100 in its headline mAP and 1000 in the others: a perfect detector
    on 260 objects of one class scores mAP 0.386 there. Without any detection it gives no metrics at
    all; here they are 0. Annotation ids may start at 0.

    Reported, each under ``prefix`` (a value of -1 means that there is no such ground truth):

    - ``AP``, ``AP50``, ``AP75``, ``AP_s``, ``AP_m``, ``AP_l``: COCO's, with ``max_dets``
      detections;
    - ``AP@100``: COCO's headline, with 100 detections;
    - ``recall50``: share of the boxes found at IoU 0.5 by a detection of any score;
    - ``recall50_score<S>``: the same by detections of at least the score S;
    - with ``size_bins=(32, 64)``: ``AP_0-32``, ``AP_32-64``, ``AP_64+`` and ``recall_0-32`` and so on, AP and
      recall (as ``recall50``) of the objects whose side is at least the first and below the second number.
      The side of an object is the square root of its area [px]. As in COCO, objects outside a bin and unmatched
      detections whose boxes are outside neither count nor cost in it;
    - with ``classwise``: ``<class>_AP50``.

    Args:
        ann_file: COCO JSON of the ground truth, as of mmdet's ``CocoMetric``.
        max_dets: Detections that count per image and category.
        score_thr: The score S; a detector in use would show detections above it.
        classwise: Whether to report AP50 per class, and log a table of classes.
        outfile_prefix: Where to write the detections as COCO JSON; nowhere if None.
        format_only: Write the detections, compute nothing; for test sets without ground truth.
        backend_args: Of :func:`mmengine.fileio.get_local_path`.
        collect_device: ``'cpu'`` or ``'gpu'``.
        prefix: Prefix of the names of the metrics, ``coco`` by default.
        size_bins: Sides [px] at which a new bin begins; no bins by default.

    Raises:
        FileNotFoundError: If ``ann_file`` is missing.
        ValueError: If ``max_dets`` is below 100, ``score_thr`` not in [0, 1], or ``format_only``
            has no ``outfile_prefix``, or ``size_bins`` are not positive or do not ascend.
    """

    default_prefix: str | None = 'coco'
    #: Name -> smallest and largest area [px^2].
    AREAS: AreaRanges = COCO_AREAS

    def __init__(
        self,
        ann_file: str | None = None,
        max_dets: int = 1000,
        score_thr: float = 0.3,
        classwise: bool = False,
        outfile_prefix: str | None = None,
        format_only: bool = False,
        backend_args: dict[str, Any] | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        size_bins: Sequence[float] = (),
    ) -> None:
        if max_dets < COCO_MAX_DETS:
            raise ValueError(
                f'max_dets={max_dets}: expected at least 100, the limit of the COCO benchmark'
            )
        if not 0 <= score_thr <= 1:
            raise ValueError(f'score_thr={score_thr}: expected a score between 0 and 1')
        if format_only and outfile_prefix is None:
            raise ValueError(
                'format_only=True needs outfile_prefix, the place to write the detections to'
            )
        bins = size_areas(size_bins)
        if ann_file is not None:
            require_file('annotation file of the evaluator', ann_file, HOW_TO_GET)
        super().__init__(
            ann_file=ann_file,
            classwise=classwise,
            outfile_prefix=outfile_prefix,
            format_only=format_only,
            backend_args=backend_args,
            collect_device=collect_device,
            prefix=prefix,
        )
        self.max_dets = max_dets
        self.score_thr = score_thr
        self.size_bins = bins

    @property
    def dataset_meta(self) -> Any:
        """Metainfo of the data set; it must fit ``ann_file``, which is checked when it is set.

        The loops set it when they are built, so that an annotation file of other classes stops a
        training before its first step and not in its first evaluation.

        Raises:
            ValueError: If the classes are not all categories of ``ann_file``.
        """
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, meta: dict[str, Any]) -> None:
        self._dataset_meta = meta
        if self._coco_api is None or 'classes' not in meta:
            return
        names = [category['name'] for category in self._coco_api.dataset['categories']]
        if sorted(name for name in names if name in meta['classes']) != sorted(meta['classes']):
            raise ValueError(
                f'the ground truth has the categories {names}, the classes are '
                f'{list(meta["classes"])}: every class must be one category of ann_file'
            )

    def compute_metrics(
        self, results: list[tuple[dict[str, Any], dict[str, Any]]]
    ) -> dict[str, float]:
        """Compute the metrics of all images.

        Args:
            results: Ground truth and detections of each image, as ``process`` collects them.

        Returns:
            Name -> value; empty with ``format_only``.
        """
        gts, predictions = zip(*results, strict=True)
        truth = self.ground_truth(gts)
        self.cat_ids = truth.get_cat_ids(cat_names=self.dataset_meta['classes'])
        self.class_names = [category['name'] for category in truth.load_cats(self.cat_ids)]
        self.img_ids = truth.get_img_ids()
        if self.outfile_prefix is not None:
            self.results2json(predictions, self.outfile_prefix)
            print_log(
                f'detections are written to {self.outfile_prefix}.bbox.json', logger='current'
            )
        if self.format_only:
            return {}
        evaluation = BoxEvaluation(
            truth,
            self.detections(truth, predictions),
            self.cat_ids,
            self.img_ids,
            max_dets=sorted({COCO_MAX_DETS, self.max_dets}),
            areas={**self.AREAS, **self.size_bins},
        )
        metrics = self.read_metrics(evaluation) | self.read_bins(evaluation)
        if self.size_bins:
            print_log('\n' + self.size_table(evaluation), logger='current')
        if self.classwise:
            metrics |= self.read_classes(evaluation)
            print_log('\n' + self.class_table(evaluation), logger='current')
        return metrics

    def read_metrics(self, evaluation: BoxEvaluation) -> dict[str, float]:
        """Read the reported numbers off an evaluation."""
        ap, limit = evaluation.average_precision, self.max_dets
        metrics = {'AP': ap(limit), 'AP50': ap(limit, iou=0.5), 'AP75': ap(limit, iou=0.75)}
        metrics |= {f'AP_{area}': ap(limit, area) for area in ('s', 'm', 'l')}
        metrics['AP@100'] = ap(COCO_MAX_DETS)
        return metrics | self.read_recalls(evaluation)

    def read_recalls(self, evaluation: BoxEvaluation) -> dict[str, float]:
        """Read the recalls off an evaluation."""
        return {
            'recall50': evaluation.recall(),
            f'recall50_score{self.score_thr:g}': evaluation.recall(self.score_thr),
        }

    def read_bins(self, evaluation: BoxEvaluation) -> dict[str, float]:
        """Read AP and recall of the bins of size off an evaluation."""
        ap, recall = evaluation.average_precision, evaluation.recall
        metrics = {f'AP_{name}': ap(self.max_dets, name) for name in self.size_bins}
        return metrics | {f'recall_{name}': recall(area=name) for name in self.size_bins}

    def read_classes(self, evaluation: BoxEvaluation) -> dict[str, float]:
        """Read AP50 of the classes off an evaluation."""
        return {
            f'{name}_AP50': evaluation.average_precision(self.max_dets, self.table_area, 0.5, index)
            for index, name in enumerate(self.class_names)
        }

    def size_table(self, evaluation: BoxEvaluation) -> str:
        """Return a text table of AP and recall per bin of size, with ``max_dets`` detections."""
        rows = [['side of objects [px]', 'objects', 'AP', 'AP50', 'recall50']]
        for name in self.size_bins:
            values = (
                evaluation.average_precision(self.max_dets, name),
                evaluation.average_precision(self.max_dets, name, iou=0.5),
                evaluation.recall(area=name),
            )
            number = evaluation.objects(name)
            # -1 stands for "no such object"
            rows.append([name, f'{number}', *(f'{v:.3f}' if number else '-' for v in values)])
        return str(AsciiTable(rows).table)

    def class_table(self, evaluation: BoxEvaluation) -> str:
        """Return a text table of AP, AP50 and AP75 per class, with ``max_dets`` detections."""
        rows = [['class', 'AP', 'AP50', 'AP75']]
        for index, name in enumerate(self.class_names):
            values = (
                evaluation.average_precision(self.max_dets, self.table_area, iou, index)
                for iou in (None, 0.5, 0.75)
            )
            rows.append([name, *(f'{value:.3f}' for value in values)])
        return str(AsciiTable(rows).table)

    @property
    def table_area(self) -> str:
        """Area range of the table of classes."""
        return 'all'

    def ground_truth(self, gts: Sequence[Mapping[str, Any]]) -> COCO:
        """Return the ground truth of ``ann_file``, or of the data samples if there is no such file.

        Args:
            gts: Size, id and, without ``ann_file``, ``anns`` of each image.
        """
        if self._coco_api is not None:
            data = self._coco_api.dataset
            return index_coco(
                data['images'], data['categories'], map(self.truth_box, data.get('annotations', []))
            )
        names = self.dataset_meta['classes']
        images = [{'id': gt['img_id'], 'width': gt['width'], 'height': gt['height']} for gt in gts]
        annotations = [
            {
                'image_id': gt['img_id'],
                'category_id': instance['bbox_label'],
                'bbox': self.xyxy2xywh(np.asarray(instance['bbox'])),
                'iscrowd': instance.get('ignore_flag', 0),
            }
            for gt in gts
            for instance in gt['anns']
        ]
        categories = [{'id': label, 'name': name} for label, name in enumerate(names)]
        return index_coco(images, categories, map(self.truth_box, annotations))

    def truth_box(self, annotation: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the annotation as it is evaluated: objects that training ignores become crowd regions.

        Args:
            annotation: A COCO annotation of the ground truth.
        """
        ignored = annotation.get('iscrowd') or annotation.get('ignore')
        return {**annotation, 'iscrowd': 1 if ignored else 0}

    def detections(self, truth: COCO, predictions: Sequence[Mapping[str, Any]]) -> COCO:
        """Return the detections as an indexed COCO object.

        Args:
            truth: Ground truth, for its images and categories.
            predictions: ``img_id``, ``bboxes`` (n, 4) as x1, y1, x2, y2 [px], ``scores`` (n,) and
                ``labels`` (n,) of each image.
        """
        annotations = [
            {
                'image_id': prediction['img_id'],
                'category_id': self.cat_ids[label],
                'bbox': self.xyxy2xywh(box),
                'score': float(score),
            }
            for prediction in predictions
            for box, score, label in zip(
                prediction['bboxes'], prediction['scores'], prediction['labels'], strict=True
            )
        ]
        return index_coco(truth.dataset['images'], truth.dataset['categories'], annotations)
