"""COCO metrics of many objects, on detections whose AP is known."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmpatch.evaluation import PatchCocoMetric, SODADMetric
from mmpatch.evaluation.box_evaluation import BoxEvaluation

SIZE = (2000, 2000)


def _boxes(count: int) -> np.ndarray:
    """Boxes of 20 x 20 px in rows, shape (count, 4), x1, y1, x2, y2."""
    corners = np.array(
        [(30 * (i % 50), 30 * (i // 50)) for i in range(count)], dtype=float
    ).reshape(-1, 2)
    return np.concatenate([corners, corners + 20], axis=1)


def _write(path: Path, boxes: np.ndarray, first_id: int = 1, **more: Any) -> str:
    annotations = [
        {
            'id': first_id + i,
            'image_id': 1,
            'category_id': 1,
            'bbox': [x1, y1, x2 - x1, y2 - y1],
            **more,
        }
        for i, (x1, y1, x2, y2) in enumerate(boxes.tolist())
    ]
    coco = {
        'images': [{'id': 1, 'file_name': 'a.png', 'height': SIZE[0], 'width': SIZE[1]}],
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'tree'}],
    }
    path.write_text(json.dumps(coco))
    return str(path)


def _run(
    metric: PatchCocoMetric,
    boxes: np.ndarray,
    scores: Sequence[float] | None = None,
    instances: list[dict[str, Any]] | None = None,
    classes: tuple[str, ...] = ('tree',),
) -> dict[str, float]:
    scores = np.linspace(0.9, 0.5, len(boxes)) if scores is None else scores
    predictions = {
        'bboxes': torch.as_tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        'scores': torch.as_tensor(scores, dtype=torch.float32),
        'labels': torch.zeros(len(boxes), dtype=torch.long),
    }
    metric.dataset_meta = {'classes': classes}
    sample: dict[str, Any] = {'pred_instances': predictions, 'img_id': 1, 'ori_shape': SIZE}
    if instances is not None:
        sample['instances'] = instances
    metric.process({}, [sample])
    results: dict[str, float] = metric.evaluate(size=1)
    return results


def test_perfect_detector_on_260_objects(tmp_path: Path) -> None:
    """At 100 detections recall ends at 100 / 260 = 0.385: 39 of the 101 recall thresholds."""
    boxes = _boxes(260)
    results = _run(PatchCocoMetric(_write(tmp_path / 'a.json', boxes)), boxes)
    for name in ('AP', 'AP50', 'AP75', 'AP_s', 'recall50', 'recall50_score0.3'):
        assert results[f'coco/{name}'] == pytest.approx(1), name
    assert results['coco/AP@100'] == pytest.approx(39 / 101)
    assert results['coco/AP_m'] == results['coco/AP_l'] == -1


def test_max_dets_limits_all_but_the_headline_of_coco(tmp_path: Path) -> None:
    boxes = _boxes(260)
    results = _run(PatchCocoMetric(_write(tmp_path / 'a.json', boxes), max_dets=130), boxes)
    assert results['coco/AP'] == pytest.approx(51 / 101)
    assert results['coco/AP50'] == pytest.approx(51 / 101)
    assert results['coco/recall50'] == 0.5


def test_no_detections_give_zeros(tmp_path: Path) -> None:
    """mmdet's metric gives nothing at all, so that a hook that saves the best fails."""
    results = _run(PatchCocoMetric(_write(tmp_path / 'a.json', _boxes(3))), _boxes(0))
    assert results['coco/AP'] == results['coco/recall50'] == 0


def test_annotation_ids_from_zero(tmp_path: Path) -> None:
    boxes = _boxes(2)
    results = _run(PatchCocoMetric(_write(tmp_path / 'a.json', boxes, first_id=0)), boxes)
    assert results['coco/AP'] == pytest.approx(1)


@pytest.mark.parametrize('mark', ['iscrowd', 'ignore'])
def test_ignored_regions_neither_count_nor_cost(tmp_path: Path, mark: str) -> None:
    path = tmp_path / 'a.json'
    coco = json.loads(Path(_write(path, _boxes(2))).read_text())
    coco['annotations'][1][mark] = 1
    path.write_text(json.dumps(coco))
    results = _run(PatchCocoMetric(str(path)), _boxes(2)[::-1].copy())
    assert results['coco/AP'] == pytest.approx(1)
    assert results['coco/recall50'] == 1


def test_ground_truth_of_the_samples(tmp_path: Path) -> None:
    """Without ann_file the instances of the data samples serve."""
    boxes = _boxes(4)
    instances = [{'bbox': box, 'bbox_label': 0, 'ignore_flag': 0} for box in boxes.tolist()]
    from_samples = _run(PatchCocoMetric(), boxes[:2], instances=instances)
    from_file = _run(PatchCocoMetric(_write(tmp_path / 'a.json', boxes)), boxes[:2])
    assert from_samples == from_file
    assert from_file['coco/AP'] == pytest.approx(51 / 101)


def test_recall_at_a_score(tmp_path: Path) -> None:
    metric = PatchCocoMetric(_write(tmp_path / 'a.json', _boxes(4)), score_thr=0.5, prefix='val')
    results = _run(metric, _boxes(3), scores=[0.9, 0.5, 0.4])
    assert results['val/recall50'] == 0.75
    assert results['val/recall50_score0.5'] == 0.5


def _squares(*sides: float) -> np.ndarray:
    """Squares of these sides [px] beside each other, (n, 4)."""
    left = np.cumsum([0, *sides[:-1]]) + 5 * np.arange(len(sides))
    return np.array([(x, 0, x + side, side) for x, side in zip(left, sides)], dtype=float)


def test_bins_of_size(tmp_path: Path) -> None:
    """An object on the border of two bins belongs to the upper one; bins without objects have -1."""
    truth = _squares(10, 31.9, 32, 63, 200, 200, 200)
    path = _write(tmp_path / 'a.json', truth)
    metric = PatchCocoMetric(path, size_bins=(5, 32, 64, 150.5))
    tables: list[str] = []
    original = metric.size_table
    metric.size_table = lambda evaluation: tables.append(original(evaluation)) or tables[-1]
    found = truth[[0, 2, 3, 4, 5]]  # one of 31.9 px and one of 200 px are missed
    results = _run(metric, found, scores=[0.01, 0.9, 0.9, 0.9, 0.9])
    names = ('0-5', '5-32', '32-64', '64-150.5', '150.5+')
    recalls = [results[f'coco/recall_{name}'] for name in names]
    assert recalls == pytest.approx([-1, 1 / 2, 1, -1, 2 / 3])
    aps = [results[f'coco/AP_{name}'] for name in names]
    assert aps == pytest.approx([-1, 51 / 101, 1, -1, 67 / 101])
    plain = _run(PatchCocoMetric(path), found, scores=[0.01, 0.9, 0.9, 0.9, 0.9])
    assert plain.items() <= results.items()
    assert len(results) == len(plain) + 2 * len(names)
    cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in tables[0].split('\n')]
    assert ['5-32', '2', '0.505', '0.505', '0.500'] in cells and [
        '0-5',
        '0',
        '-',
        '-',
        '-',
    ] in cells


def test_other_sizes_cost_a_bin_nothing(tmp_path: Path) -> None:
    """False detections count in the bin of their own size; one that is a bit too large still finds."""
    truth = _squares(30, 100)
    metric = PatchCocoMetric(_write(tmp_path / 'a.json', truth), size_bins=(32,))
    false = np.array([[500, 500, 700, 700], [900, 900, 1100, 1100.0]])
    large = np.array([[0, 0, 34, 34.0]])  # IoU 0.78 with the first, but in the other bin
    boxes = np.concatenate([false, large, truth[1:]])
    results = _run(metric, boxes, scores=[0.9, 0.9, 0.8, 0.7])
    assert results['coco/recall_0-32'] == results['coco/recall_32+'] == 1
    assert results['coco/AP_0-32'] == pytest.approx(0.6)  # IoU thresholds 0.5 to 0.75, all of six
    assert results['coco/AP_32+'] == pytest.approx((6 / 3 + 4 / 4) / 10, abs=0.01)
    assert results['coco/AP50'] < 0.6


def test_bins_need_no_file_and_go_with_other_benchmarks(tmp_path: Path) -> None:
    boxes = _squares(20, 50)
    instances = [{'bbox': box, 'bbox_label': 0, 'ignore_flag': 0} for box in boxes.tolist()]
    results = _run(PatchCocoMetric(size_bins=[32]), boxes[:1], instances=instances)
    assert results['coco/AP_0-32'] == pytest.approx(1) and results['coco/recall_32+'] == 0
    soda = SODADMetric(_write(tmp_path / 'a.json', boxes), size_bins=[32])
    results = _run(soda, boxes[:1])
    assert results['soda_d/AP_0-32'] == pytest.approx(1) and results['soda_d/recall_32+'] == 0


def test_class_table(tmp_path: Path) -> None:
    metric = PatchCocoMetric(_write(tmp_path / 'a.json', _boxes(2)), classwise=True)
    tables: list[str] = []
    original = metric.class_table
    metric.class_table = lambda evaluation: tables.append(original(evaluation)) or tables[-1]
    assert _run(metric, _boxes(2))['coco/tree_AP50'] == 1
    assert '| tree  | 1.000 | 1.000 | 1.000 |' in tables[0]


def test_class_table_when_the_file_lists_its_categories_in_another_order(tmp_path: Path) -> None:
    """Labels count categories as the file lists them; pycocotools sorts them by id."""
    path = Path(_write(tmp_path / 'a.json', _boxes(2)))
    coco = json.loads(path.read_text())
    coco['categories'] = [{'id': 8, 'name': 'bush'}, {'id': 1, 'name': 'tree'}]
    coco['annotations'][0]['category_id'] = 8
    path.write_text(json.dumps(coco))
    metric = PatchCocoMetric(str(path))
    _run(metric, _boxes(2)[:1], classes=('bush', 'tree'))  # the bush alone
    truth = metric.ground_truth([])
    found = metric.detections(truth, [dict(img_id=1, bboxes=_boxes(1), scores=[0.9], labels=[0])])
    evaluation = BoxEvaluation(truth, found, metric.cat_ids, [1], max_dets=[1000])
    table = metric.class_table(evaluation)
    assert '| bush  | 1.000 | 1.000 | 1.000 |' in table
    assert '| tree  | 0.000 | 0.000 | 0.000 |' in table


def test_format_only_writes_detections(tmp_path: Path) -> None:
    prefix = tmp_path / 'out' / 'run'
    metric = PatchCocoMetric(
        _write(tmp_path / 'a.json', _boxes(2)), format_only=True, outfile_prefix=str(prefix)
    )
    assert _run(metric, _boxes(2)) == {}
    written = json.loads((tmp_path / 'out' / 'run.bbox.json').read_text())
    assert [found['bbox'] for found in written] == [[0, 0, 20, 20], [30, 0, 20, 20]]


def test_class_missing_in_ann_file(tmp_path: Path) -> None:
    """Said when a loop gives the metric its data set, before the first step of a training."""
    metric = PatchCocoMetric(_write(tmp_path / 'a.json', _boxes(1)))
    with pytest.raises(
        ValueError, match=r"has the categories \['tree'\], the classes are \['tree', 'bush'\]"
    ):
        metric.dataset_meta = {'classes': ('tree', 'bush')}


def test_missing_ann_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='annotation file of the evaluator not found'):
        PatchCocoMetric(str(tmp_path / 'none.json'))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'max_dets': 50}, 'max_dets=50: expected at least 100'),
        ({'score_thr': 30}, 'score_thr=30: expected a score between 0 and 1'),
        ({'format_only': True}, 'format_only=True needs outfile_prefix'),
        ({'size_bins': (32, 32)}, r'size_bins=\[32, 32\]: expected positive sides .* give them as'),
        ({'size_bins': (64, 32)}, r'each larger than the one before'),
        ({'size_bins': (0, 32)}, r'size_bins=\[0, 32\]: expected positive sides'),
        ({'size_bins': (float('inf'),)}, 'size_bins='),
        ({'size_bins': (float('nan'),)}, 'size_bins='),
    ],
)
def test_bad_settings(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PatchCocoMetric(**arguments)
