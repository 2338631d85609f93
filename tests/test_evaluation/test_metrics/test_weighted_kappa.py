"""Kappa against its definition and against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmpatch.evaluation.metrics import WeightedKappa
from mmpatch.evaluation.metrics.weighted_kappa import quadratic_kappa


def kappa(labels: list[int], predictions: list[int], classes: int = 6) -> float:
    metric = WeightedKappa(num_classes=classes)
    for label, prediction in zip(labels, predictions):
        sample = dict(gt_label=torch.tensor([label]), pred_label=torch.tensor([prediction]))
        metric.process({}, [sample])
    return metric.evaluate(len(labels))['cls/kappa']


def test_known_values() -> None:
    assert kappa([0, 1, 2, 3], [0, 1, 2, 3]) == 1.0
    assert kappa([0, 5], [5, 0]) == -1.0
    assert kappa([2, 2], [2, 2]) == 0.0  # chance explains it
    # by hand: squared distances 0 + 1 + 0 + 4 = 5; of all pairs 6 + 2 + 2 + 18 = 28
    assert kappa([0, 1, 1, 3], [0, 2, 1, 1]) == pytest.approx(1 - 5 / (28 / 4))


def test_near_mistakes_cost_less_than_far_ones() -> None:
    labels = [0, 1, 2, 3, 4, 5]
    near, far = [1, 1, 2, 3, 4, 5], [5, 1, 2, 3, 4, 5]
    assert kappa(labels, far) < kappa(labels, near) < 1


def test_from_the_definition() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 4, (2, 500))
    table = np.zeros((4, 4))
    np.add.at(table, (a, b), 1)
    seen = ((a - b) ** 2).mean()
    chance = ((a[:, None] - b[None]) ** 2).mean()
    assert quadratic_kappa(table) == pytest.approx(1 - seen / chance)


def test_classes_come_from_the_data_set() -> None:
    metric = WeightedKappa()
    metric.dataset_meta = dict(classes=('a', 'b', 'c'))
    metric.process(
        {}, [dict(gt_label=torch.tensor([i]), pred_label=torch.tensor([i])) for i in (0, 2)]
    )
    assert metric.evaluate(2) == {'cls/kappa': 1.0}
