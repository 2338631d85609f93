"""NMS row by row keeps what NMS over all boxes at once keeps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms

from mmpatch.apis.boxes import Boxes
from mmpatch.apis.row_nms import RowNMS, suppress_rows

HEIGHT, ROW = 1200, 100


def random_boxes(seed: int, count: int, longest: int, whole: bool) -> Boxes:
    """Clusters of boxes; with whole pixels mmcv's shifts of classes are exact."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, HEIGHT, (count // 8, 2))[rng.integers(0, count // 8, count)]
    centres = centres + rng.normal(0, 3, (count, 2))
    sides = rng.uniform(longest / 2, longest, (count, 2))
    edges = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1).clip(0, HEIGHT)
    edges = edges.round() if whole else edges
    scores = rng.permutation(count) / count
    labels = rng.integers(0, 3, count)
    return Boxes(edges.astype(np.float32), scores.astype(np.float32), labels)


def by_rows(boxes: Boxes, row_of: np.ndarray) -> list[Boxes]:
    return [boxes[row_of == row] for row in range(HEIGHT // ROW + 1)]


def merged(parts: list[Boxes], nms: RowNMS) -> Boxes:
    tops = np.array([part.top for part in parts])
    return Boxes.cat(list(suppress_rows(parts, tops, nms)))


def as_set(boxes: Boxes) -> list[tuple[float, ...]]:
    rows = np.concatenate([boxes.bboxes, boxes.scores[:, None], boxes.labels[:, None]], axis=1)
    return sorted(map(tuple, rows.tolist()))


@pytest.mark.parametrize('agnostic', [False, True])
@pytest.mark.parametrize('longest', [40, 400])
@pytest.mark.parametrize('threshold', [0.3, 0.6])
def test_equals_batched_nms(threshold: float, longest: int, agnostic: bool) -> None:
    for seed in range(5):
        boxes = random_boxes(seed, 1500, longest, whole=True)
        row_of = ((boxes.bboxes[:, 1] + boxes.bboxes[:, 3]) / 2 // ROW).astype(int)
        rng = np.random.default_rng(seed)
        row_of = (row_of + rng.integers(-1, 2, len(boxes))).clip(0, HEIGHT // ROW)
        found = merged(by_rows(boxes, row_of), RowNMS(threshold, agnostic))
        settings = dict(type='nms', iou_threshold=threshold)
        tensors = (torch.from_numpy(x) for x in (boxes.bboxes, boxes.scores, boxes.labels))
        kept = batched_nms(*tensors, settings, class_agnostic=agnostic)[1]
        assert 20 < len(kept) < 1400
        assert as_set(found) == as_set(boxes[kept.numpy()])


def test_equal_scores_count_in_their_order() -> None:
    boxes = random_boxes(0, 800, 60, whole=False)
    boxes = Boxes(boxes.bboxes, boxes.scores.round(1), boxes.labels)
    parts = by_rows(boxes, (boxes.bboxes[:, 1] // ROW).astype(int))
    at_once = merged([Boxes.cat(parts)], RowNMS(0.4))
    assert as_set(merged(parts, RowNMS(0.4))) == as_set(at_once)


def test_a_chain_over_all_rows_is_decided_from_its_end() -> None:
    """Each box is suppressed by the next, better one, unless that is suppressed itself."""
    count = 12
    tops = np.arange(count) * 50.0
    edges = np.stack([tops * 0, tops, tops * 0 + 50, tops + 120], axis=1).astype(np.float32)
    boxes = Boxes(edges, np.linspace(0.1, 0.9, count, dtype=np.float32), np.zeros(count, int))
    parts = [boxes[[i]] for i in range(count)]
    found = merged(parts, RowNMS(0.4))
    assert sorted(found.bboxes[:, 1].tolist()) == tops[1::2].tolist()


def test_memory_does_not_grow_with_the_height() -> None:
    nms, rows = RowNMS(0.5), 60
    left = []
    for row in range(rows):
        part = random_boxes(row % 3, 400, 40, whole=False)
        part.bboxes[:, 1::2] *= ROW / HEIGHT
        part.bboxes[:, 1::2] += row * ROW
        nms.add(part, (row + 1) * ROW - 5 if row + 1 < rows else np.inf)
        left.append(len(nms._undecided))
    assert max(left) < 150 and left[-1] == 0


def test_nothing_found() -> None:
    assert len(merged([Boxes.none(), Boxes.none()], RowNMS(0.5))) == 0
