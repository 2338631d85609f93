"""Curves and recalls that can be worked out by hand."""

from typing import Any

import pytest

from mmpatch.evaluation.box_evaluation import BoxEvaluation, index_coco

IMAGES = [{'id': 5, 'width': 1000, 'height': 1000}]
CATEGORIES = [{'id': 1, 'name': 'tree'}, {'id': 3, 'name': 'bush'}]


def _box(x: float, score: float | None = None, category: int = 1, **more: Any) -> dict[str, Any]:
    scored = {} if score is None else {'score': score}
    return {'image_id': 5, 'category_id': category, 'bbox': [x, 10, 20, 20], **scored, **more}


def _evaluate(
    truth: list[dict[str, Any]], found: list[dict[str, Any]], **arguments: Any
) -> BoxEvaluation:
    return BoxEvaluation(
        index_coco(IMAGES, CATEGORIES, truth),
        index_coco(IMAGES, CATEGORIES, found),
        [1, 3],
        [5],
        max_dets=[100, 1000],
        **arguments,
    )


def test_perfect() -> None:
    evaluation = _evaluate([_box(0), _box(50)], [_box(0, 0.9), _box(50, 0.8)])
    assert evaluation.average_precision(100) == pytest.approx(1)
    assert evaluation.average_precision(1000, iou=0.75) == pytest.approx(1)
    assert evaluation.recall() == 1


def test_no_detection_is_zero() -> None:
    evaluation = _evaluate([_box(0)], [])
    assert evaluation.average_precision(100) == 0
    assert evaluation.recall() == 0


def test_no_ground_truth_is_minus_one() -> None:
    evaluation = _evaluate([], [_box(0, 0.9)])
    assert evaluation.average_precision(100) == -1
    assert evaluation.recall() == -1
    assert _evaluate([_box(0)], []).average_precision(100, area='l') == -1


def test_half_found() -> None:
    """Precision 1 up to recall 0.5: 51 of the 101 recall thresholds."""
    evaluation = _evaluate([_box(0), _box(50)], [_box(0, 0.9)])
    assert evaluation.average_precision(100) == pytest.approx(51 / 101)
    assert evaluation.recall() == 0.5


def test_false_positive_above_the_true_one() -> None:
    evaluation = _evaluate([_box(0)], [_box(500, 0.9), _box(0, 0.8)])
    assert evaluation.average_precision(100) == pytest.approx(0.5)


def test_classes_are_averaged_and_readable_alone() -> None:
    evaluation = _evaluate([_box(0), _box(50, category=3)], [_box(0, 0.9)])
    assert evaluation.average_precision(100) == pytest.approx(0.5)
    assert evaluation.average_precision(100, category=0) == pytest.approx(1)
    assert evaluation.average_precision(100, category=1) == 0


@pytest.mark.parametrize('order', [[1, 3], [3, 1]])
def test_categories_keep_the_order_that_they_are_given_in(order: list[int]) -> None:
    truth = index_coco(IMAGES, CATEGORIES, [_box(0), _box(50, category=3)])
    found = index_coco(IMAGES, CATEGORIES, [_box(0, 0.9)])
    evaluation = BoxEvaluation(truth, found, order, [5], max_dets=[100])
    by_category = {
        number: evaluation.average_precision(100, category=place)
        for place, number in enumerate(order)
    }
    assert by_category == {1: pytest.approx(1), 3: 0}


def test_iou_thresholds() -> None:
    """A box shifted by 4 of its 20 px overlaps with IoU 16 / 24 = 0.667: found at 0.5, 0.55, 0.6 and 0.65."""
    evaluation = _evaluate([_box(0)], [_box(4, 0.9)])
    assert evaluation.average_precision(100) == pytest.approx(0.4)
    assert evaluation.average_precision(100, iou=0.5) == pytest.approx(1)
    assert evaluation.average_precision(100, iou=0.75) == 0
    assert evaluation.recall() == 1


def test_recall_above_a_score() -> None:
    truth = [_box(x) for x in (0, 50, 100, 150)]
    found = [_box(0, 0.9), _box(50, 0.3), _box(100, 0.2), _box(500, 0.95)]
    evaluation = _evaluate(truth, found)
    assert evaluation.recall() == 0.75
    assert evaluation.recall(0.3) == 0.5
    assert evaluation.recall(0.91) == 0


def test_recall_counts_no_crowd_regions() -> None:
    evaluation = _evaluate([_box(0), _box(50, iscrowd=1)], [_box(50, 0.9)])
    assert evaluation.recall() == 0


def test_annotation_ids_from_zero_are_renumbered() -> None:
    """pycocotools takes the id 0 of a matched annotation for 'not matched'."""
    evaluation = _evaluate([_box(0, id=0)], [_box(0, 0.9)])
    assert evaluation.average_precision(100) == pytest.approx(1)
    assert evaluation.recall() == 1


def test_area_is_filled_in() -> None:
    coco = index_coco(IMAGES, CATEGORIES, [_box(0), _box(0, area=7)])
    assert [coco.anns[1]['area'], coco.anns[2]['area']] == [400, 7]


def test_iou_that_was_not_evaluated() -> None:
    with pytest.raises(ValueError, match=r'IoU 0\.75 is not among the thresholds'):
        _evaluate([_box(0)], [], iou_thresholds=[0.5]).average_precision(100, iou=0.75)
