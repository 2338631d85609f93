"""Segmentation metrics against numbers computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmpatch.evaluation.metrics.patch_seg_metric import PatchSegMetric, confusion, rates


def evaluate(pairs: list[tuple[Any, Any]], classes: int, **settings: Any) -> dict[str, float]:
    metric = PatchSegMetric(**settings)
    metric.dataset_meta = dict(classes=tuple(f'c{i}' for i in range(classes)))
    samples = [
        dict(
            pred_sem_seg=dict(data=torch.as_tensor(predicted)[None]),
            gt_sem_seg=dict(data=torch.as_tensor(label)[None]),
        )
        for predicted, label in pairs
    ]
    metric.process(None, samples)
    return metric.evaluate(len(pairs))


def test_binary_numbers_by_hand() -> None:
    label = [[1, 1, 0, 0, 255]]
    predicted = [[1.0, 0.0, 1.0, 0.0, 1.0]]  # TP 1, FN 1, FP 1, TN 1
    found = evaluate([(predicted, label)], 2)
    for where in ('image', 'pixel'):
        assert found[f'seg/{where}/Acc'] == 50
        assert found[f'seg/{where}/F1'] == 50
        assert found[f'seg/{where}/IoU'] == pytest.approx(100 / 3)
        assert found[f'seg/{where}/BAcc'] == 50
        assert found[f'seg/{where}/PLR'] == 1
        assert found[f'seg/{where}/NLR'] == 1


def test_mean_over_images_is_not_pooled() -> None:
    good = ([[1, 1]], [[1, 1]])
    bad = ([[0, 0, 0, 0, 0, 1]], [[1, 1, 0, 0, 0, 0]])
    found = evaluate([good, bad], 2)
    assert found['seg/image/F1'] == 50  # 100 and 0
    assert found['seg/pixel/F1'] == pytest.approx(100 * 4 / (4 + 2 + 1))


def test_an_image_without_foreground_counts_as_zero_and_not_as_nan() -> None:
    found = evaluate([([[0, 0]], [[0, 0]])], 2)
    assert found['seg/image/F1'] == 0
    assert found['seg/image/Acc'] == 100
    assert np.isnan(found['seg/pixel/F1'])


def test_several_classes_from_masks_of_each() -> None:
    generator = np.random.default_rng(0)
    label, predicted = generator.integers(0, 4, (2, 1, 500))
    found = evaluate([(predicted, label)], 4)
    by_class = []
    for c in range(4):
        is_c, said_c = label == c, predicted == c
        hit, false_alarm = said_c[is_c].mean(), said_c[~is_c].mean()
        precision = is_c[said_c].mean()
        by_class.append(
            [
                100 * 2 * precision * hit / (precision + hit),
                100 * (is_c & said_c).sum() / (is_c | said_c).sum(),
                100 * (hit + 1 - false_alarm) / 2,
                hit / false_alarm,
                (1 - hit) / (1 - false_alarm),
            ]
        )
    assert found['seg/pixel/Acc'] == pytest.approx(100 * (label == predicted).mean())
    for name, value in zip(('F1', 'IoU', 'BAcc', 'PLR', 'NLR'), np.mean(by_class, axis=0)):
        assert found[f'seg/pixel/{name}'] == pytest.approx(value)


def test_classes_that_do_not_occur_do_not_count() -> None:
    assert evaluate([([[0, 1, 1]], [[0, 1, 1]])], 5)['seg/pixel/IoU'] == 100


def test_counting() -> None:
    matrix = confusion(torch.tensor([[[0, 1, 2]]]), torch.tensor([[[0, 2, 255]]]), 3, 255)
    assert matrix.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert rates(matrix).shape == (3, 5)
    with pytest.raises(ValueError, match=r'prediction of \(2, 2\) px .* map of \(3, 2\) px'):
        confusion(torch.zeros(1, 2, 2), torch.zeros(1, 3, 2), 2, 255)


def test_iou_per_class_and_recall_by_size() -> None:
    label = np.zeros((12, 12), int)
    label[0, 0] = 2  # one pixel, found
    label[2:4, 0:4] = 2  # 8 pixels, three found: of side 2.8
    label[6:10, 4:8] = 2  # 16 pixels, all found, and one more that hangs on by a corner
    label[10, 8] = 2
    label[6:10, 10:] = 255
    predicted = np.where(label == 2, 2, 0)
    predicted[2:4, 0:4] = 1
    predicted[2, 0:3] = 2
    predicted[6:10, 10:] = 2  # ignored
    found = evaluate([(predicted, label)], 3, size_bins={'c2': (2, 4, 20)})
    assert found['seg/recall_c2_0-2'] == 100
    assert found['seg/recall_c2_2-4'] == 100 * 3 / 8
    assert found['seg/recall_c2_4-20'] == 100
    assert 'seg/recall_c2_20+' not in found  # there is none
    assert found['seg/pixel/c2_IoU'] == pytest.approx(100 * 21 / 26)
    twice = evaluate([(predicted, label), (label, label)], 3, size_bins={'c2': (2, 4)})
    assert twice['seg/recall_c2_2-4'] == 100 * 11 / 16


@pytest.mark.parametrize(
    ('sizes', 'message'),
    [
        ({'c1': (4, 2)}, r'size_bins=\[4, 2\]: expected positive sides'),
        ({'lake': (4,)}, "size_bins of class 'lake', but the classes are c0, c1, c2"),
    ],
)
def test_sizes_that_make_no_sense(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate([([[0, 1]], [[0, 1]])], 3, size_bins=sizes)
