"""Matching agrees with pycocotools."""

import numpy as np
import pytest

from mmpatch.evaluation.box_evaluation import BoxEvaluation, index_coco
from mmpatch.visualization.box_matching import Boxes, match_boxes


def boxes(
    corners: list[list[float]], labels: list[int], scores: list[float] | None = None
) -> Boxes:
    return Boxes(
        np.array(corners, dtype=float).reshape(-1, 4),
        np.array(labels, dtype=int),
        np.array(scores or [1.0] * len(labels)),
    )


def test_each_object_is_found_once() -> None:
    objects = boxes([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], [0, 0, 1])
    predictions = boxes(
        [[0, 0, 10, 9], [0, 0, 10, 10], [20, 0, 30, 4.9], [40, 0, 50, 10]],
        [0, 0, 0, 0],
        [0.9, 0.8, 0.7, 0.6],
    )
    matches = match_boxes(predictions, objects)
    # The second prediction comes too late, the third overlaps too little, the fourth is of
    # another class.
    assert matches.true.tolist() == [True, False, False, False]
    assert matches.false.tolist() == [False, True, True, True]
    assert matches.missed.tolist() == [False, True, True]


def test_an_overlap_of_exactly_the_threshold_counts() -> None:
    objects = boxes([[0, 0, 10, 10]], [0])
    assert match_boxes(boxes([[0, 0, 10, 5]], [0]), objects, iou=0.5).found.all()


def test_the_higher_score_chooses_first() -> None:
    objects = boxes([[0, 0, 10, 10], [4, 0, 14, 10]], [0, 0])
    predictions = boxes([[2, 0, 12, 10], [4, 0, 14, 10]], [0, 0], [0.5, 0.9])
    matches = match_boxes(predictions, objects)
    assert matches.true.all()
    assert matches.found.all()


def test_ignored_regions_excuse_predictions() -> None:
    predictions = boxes([[0, 0, 10, 10], [0, 0, 10, 10], [95, 0, 110, 10]], [0, 1, 0])
    matches = match_boxes(predictions, boxes([], []), boxes([[0, 0, 100, 100]], [0]))
    assert matches.ignored.tolist() == [True, False, False]
    assert matches.false.tolist() == [False, True, True]
    assert not matches.true.any()


@pytest.mark.parametrize('seed', range(3))
def test_as_many_are_found_as_pycocotools_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 200, (80, 2))
    truth = np.concatenate([corners, corners + rng.uniform(8, 40, (80, 2))], axis=1)
    labels = rng.integers(0, 2, 80)
    moved = truth + rng.normal(0, 3, truth.shape)
    scores = rng.uniform(0, 1, 80)
    matches = match_boxes(
        Boxes(moved, labels, scores)[scores > 0.3], Boxes(truth, labels, np.ones(80))
    )

    def annotations(corners: np.ndarray) -> list[dict[str, object]]:
        sizes = corners[:, 2:] - corners[:, :2]
        return [
            dict(image_id=1, category_id=int(n) + 1, bbox=[*b[:2], *s], score=float(score))
            for b, s, n, score in zip(corners, sizes, labels, scores)
        ]

    images, categories = [dict(id=1)], [dict(id=1, name='a'), dict(id=2, name='b')]
    evaluation = BoxEvaluation(
        index_coco(images, categories, annotations(truth)),
        index_coco(images, categories, annotations(moved)),
        [1, 2],
        [1],
        [1000],
    )
    assert matches.found.mean() == pytest.approx(evaluation.recall(min_score=0.3))
    assert 0.2 < matches.found.mean() < 0.9
