"""Quadratic weighted kappa, the metric of graded classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from numpy.typing import NDArray

from mmpatch.registry import METRICS


@METRICS.register_module()
class WeightedKappa(BaseMetric):
    """Cohen's kappa with quadratic weights: agreement of grades beyond chance, 1 at best.

    A mistake counts by the square of its distance, as in PANDA's challenge. If all labels and all
    predictions are the same class, chance explains everything: kappa is 0 / 0 and reported as 0.

    Source: Cohen, Psychological Bulletin 70 (1968).

    Args:
        num_classes: Number of grades; None: of the data set's classes.
        collect_device: ``'cpu'`` or ``'gpu'``.
        prefix: Put before the name ``kappa``, ``cls`` by default.
    """

    default_prefix: str | None = 'cls'

    def __init__(
        self,
        num_classes: int | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.num_classes = num_classes

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Note label and prediction of some images."""
        for sample in data_samples:
            self.results.append((int(sample['gt_label']), int(sample['pred_label'])))

    def compute_metrics(self, results: list[tuple[int, int]]) -> dict[str, float]:
        """Kappa of all images."""
        count = self.num_classes or len(self.dataset_meta['classes'])
        table = np.zeros((count, count))
        np.add.at(table, tuple(np.array(results).T), 1)
        return {'kappa': quadratic_kappa(table)}


def quadratic_kappa(table: NDArray[Any]) -> float:
    """Kappa from counts of images by label (row) and prediction (column), (C, C)."""
    grades = np.arange(len(table))
    weights = (grades[:, None] - grades) ** 2
    expected = table.sum(1)[:, None] * table.sum(0) / table.sum()
    chance = float((weights * expected).sum())
    return 1 - float((weights * table).sum()) / chance if chance else 0.0
