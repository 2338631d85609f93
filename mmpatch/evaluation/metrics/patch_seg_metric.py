"""Segmentation metrics, as a mean over images and pooled over pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from numpy.typing import NDArray
from terminaltables import AsciiTable
from torch import Tensor

from mmpatch.evaluation.box_evaluation import size_areas
from mmpatch.registry import METRICS

Table = NDArray[Any]

#: Names of the metrics of a class against the rest, in the order of :func:`rates`.
RATES = ('F1', 'IoU', 'BAcc', 'PLR', 'NLR')


@METRICS.register_module()
class PatchSegMetric(BaseMetric):
    """Accuracy, F1, IoU, balanced accuracy and likelihood ratios of masks.

    Each metric is reported twice:

    - ``image/...``: the mean over images of the metric of each image, as in the paper. A metric that
      is undefined in an image (0 / 0) counts as 0.
    - ``pixel/...``: computed once from the pixels of all images together, as mmseg's ``IoUMetric``
      does.

    ``Acc`` is the share of right pixels. The others compare one class with the rest. They are given for
    the foreground of a binary mask, else as the mean over the classes that occur in labels or
    predictions. ``BAcc`` is the mean of sensitivity and specificity, ``PLR`` sensitivity / (1 -
    specificity), ``NLR`` (1 - sensitivity) / specificity. Ratios are plain numbers (the paper
    prints NLR times 100); all others are in %.

    With three classes and more, ``pixel/<class>_IoU`` is the IoU of each. With
    ``size_bins=dict(lake=(16, 64))``, ``recall_lake_0-16``, ``recall_lake_16-64`` and ``recall_lake_64+`` are the
    shares of the pixels of lakes of these sizes that were found [%]. A lake is a connected part of the labels; its
    size is the square root of its area [px]. Bins without a pixel are left out.

    Source: Resource Efficient Perception for Vision Systems, section IV.

    Args:
        ignore_index: Pixels with this label are left out.
        classwise: Log a table of the classes, from all pixels.
        size_bins: Class -> sizes of its objects [px] at which a new bin begins; no bins by default.
        collect_device: ``'cpu'`` or ``'gpu'``.
        prefix: Put before the names, ``seg`` by default.

    Raises:
        ValueError: If sizes are not positive or do not ascend.
    """

    default_prefix: str | None = 'seg'

    def __init__(
        self,
        ignore_index: int = 255,
        classwise: bool = True,
        size_bins: Mapping[str, Sequence[float]] | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ignore_index = ignore_index
        self.classwise = classwise
        self.size_bins = {name: size_areas(sizes) for name, sizes in (size_bins or {}).items()}

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Count the pixels of some images by label and prediction."""
        classes = self.dataset_meta['classes']
        unknown = sorted(set(self.size_bins) - set(classes))
        if unknown:
            raise ValueError(
                f'size_bins of class {unknown[0]!r}, but the classes are {", ".join(classes)}: name '
                'one of them'
            )
        for sample in data_samples:
            predicted = sample['pred_sem_seg']['data']
            in_memory = 'gt_sem_seg' in sample
            label = sample['gt_sem_seg']['data'] if in_memory else sample['gt_seg_raster'][:, :, :]
            counts = confusion(predicted, label, len(classes), self.ignore_index)
            found = {
                f'recall_{name}_{size}': pixels
                for name, areas in self.size_bins.items()
                for size, pixels in found_by_area(
                    predicted, label, classes.index(name), areas
                ).items()
            }
            self.results.append((counts, found))

    def compute_metrics(self, results: list[tuple[Table, dict[str, Table]]]) -> dict[str, float]:
        """The metrics from the confusion matrices of all images."""
        names: Sequence[str] = self.dataset_meta['classes']
        counts = [matrix for matrix, _ in results]
        each = [np.nan_to_num(summary(matrix), nan=0.0, posinf=np.inf) for matrix in counts]
        pooled = np.sum(counts, axis=0)
        if self.classwise:
            print_log(_table(names, pooled), logger='current')
        keys = ('Acc', *RATES)
        ious = dict(zip(names, rates(pooled)[:, RATES.index('IoU')])) if len(names) > 2 else {}
        sized = {
            name: np.sum([found[name] for _, found in results], axis=0) for name in results[0][1]
        }
        return {
            **{f'image/{key}': float(x) for key, x in zip(keys, np.mean(each, axis=0))},
            **{f'pixel/{key}': float(x) for key, x in zip(keys, summary(pooled))},
            **{f'pixel/{name}_IoU': float(x) for name, x in ious.items()},
            **{name: 100 * float(found / all_) for name, (found, all_) in sized.items() if all_},
        }


def confusion(predicted: Tensor, label: Tensor, classes: int, ignore_index: int) -> Table:
    """Count pixels by label (row) and prediction (column).

    Args:
        predicted: Classes of pixels as predicted, (1, H, W).
        label: Their true classes, (1, H, W).
        classes: Number C of classes.
        ignore_index: Pixels with this label are left out.

    Returns:
        (C, C) int64.

    Raises:
        ValueError: If the two differ in size.
    """
    if predicted.shape[-2:] != label.shape[-2:]:
        raise ValueError(
            f'a prediction of {tuple(predicted.shape[-2:])} px cannot be compared with a label '
            f'map of {tuple(label.shape[-2:])} px: in the test pipeline, load the annotations '
            'after anything that resizes the image'
        )
    label = label.flatten().long()
    valid = label != ignore_index
    predicted = predicted.to(label.device).flatten().long()
    counts = torch.bincount(label[valid] * classes + predicted[valid], minlength=classes**2)
    return counts.reshape(classes, classes).cpu().numpy()


def found_by_area(
    predicted: Tensor, label: Tensor, number: int, areas: Mapping[str, tuple[float, float]]
) -> dict[str, Table]:
    """Count the found pixels of a class by the area of the connected part that they belong to.

    Args:
        predicted: Classes of pixels as predicted, (1, H, W).
        label: Their true classes, (1, H, W).
        number: The class.
        areas: Name -> smallest and largest area [px].

    Returns:
        Name -> pixels found and all pixels, (2,).
    """
    found = (predicted[0] == number).cpu().numpy()
    truth = (label[0] == number).cpu().numpy().astype(np.uint8)
    count, parts = cv2.connectedComponents(truth, connectivity=8)
    sizes = np.bincount(parts.ravel(), minlength=count)[1:]
    hits = np.bincount(parts[found], minlength=count)[1:]
    chosen = {name: (low <= sizes) & (sizes <= high) for name, (low, high) in areas.items()}
    return {name: np.array([hits[of].sum(), sizes[of].sum()]) for name, of in chosen.items()}


def rates(matrix: Table) -> Table:
    """Metrics of each class against the rest.

    Args:
        matrix: Pixels by label and prediction, (C, C).

    Returns:
        (C, 5) in the order of :data:`RATES`; NaN where a metric is undefined.
    """
    matrix = matrix.astype(np.float64)
    tp = matrix.diagonal()
    fn, fp = matrix.sum(1) - tp, matrix.sum(0) - tp
    tn = matrix.sum() - tp - fn - fp
    with np.errstate(divide='ignore', invalid='ignore'):
        sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
        return np.stack(
            [
                100 * 2 * tp / (2 * tp + fp + fn),
                100 * tp / (tp + fp + fn),
                100 * (sensitivity + specificity) / 2,
                sensitivity / (1 - specificity),
                (1 - sensitivity) / specificity,
            ],
            axis=1,
        )


def summary(matrix: Table) -> Table:
    """Accuracy, then :data:`RATES` of the foreground or averaged over classes; (6,)."""
    with np.errstate(divide='ignore', invalid='ignore'):
        accuracy = 100 * matrix.diagonal().sum() / matrix.sum()
    found = rates(matrix)
    if len(matrix) == 2:
        return np.array([accuracy, *found[1]])
    occurs = matrix.sum(0) + matrix.sum(1) > 0
    return np.array([accuracy, *(_mean(column[occurs]) for column in found.T)])


def _mean(values: Table) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float('nan')


def _table(names: Sequence[str], matrix: Table) -> str:
    shares = 100 * matrix.sum(1) / max(matrix.sum(), 1)
    rows = [['class', 'share of pixels', *RATES]]
    for name, share, row in zip(names, shares, rates(matrix)):
        rows.append([name, f'{share:.2f}', *(f'{x:.2f}' for x in row)])
    return f'classes, from the pixels of all images:\n{AsciiTable(rows).table}'
