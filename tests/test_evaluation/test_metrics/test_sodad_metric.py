"""The SODA-D benchmark, on detections whose AP is known."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mmpatch.datasets import SODADDataset
from mmpatch.evaluation import SODADMetric

CLASSES = SODADDataset.METAINFO['classes']
#: x, y, width, height [px] of a box of each area range.
EXTREMELY, RELATIVELY, GENERALLY = [0, 0, 10, 10], [100, 0, 15, 15], [200, 0, 25, 25]
NORMAL, LARGE = [300, 0, 40, 40], [400, 0, 100, 100]
Box = list[int]


def _write(path: Path, boxes: list[Box], ignored: list[Box] = [], **more: Any) -> str:  # noqa: B006
    categories = [{'id': i, 'name': name} for i, name in enumerate(CLASSES, start=1)]
    categories += [{'id': 10, 'name': 'ignore'}] if ignored else []
    both = [(1, box) for box in boxes] + [(10, box) for box in ignored]
    annotations = [
        {
            'id': i,
            'image_id': 1,
            'category_id': category,
            'bbox': box,
            'area': box[2] * box[3],
            **more,
        }
        for i, (category, box) in enumerate(both, start=1)
    ]
    images = [{'id': 1, 'file_name': 'a.jpg', 'width': 4000, 'height': 3000}]
    path.write_text(
        json.dumps({'images': images, 'annotations': annotations, 'categories': categories})
    )
    return str(path)


def _run(
    ann_file: str, boxes: list[Box], scores: list[float] | None = None, **arguments: Any
) -> dict[str, float]:
    metric = SODADMetric(ann_file, **arguments)
    metric.dataset_meta = {'classes': CLASSES}
    corners = [[x, y, x + w, y + h] for x, y, w, h in boxes]
    predictions = {
        'bboxes': torch.tensor(corners, dtype=torch.float32).reshape(-1, 4),
        'scores': torch.tensor(scores if scores else [0.9] * len(boxes)),
        'labels': torch.zeros(len(boxes), dtype=torch.long),
    }
    metric.process({}, [{'pred_instances': predictions, 'img_id': 1, 'ori_shape': (3000, 4000)}])
    results: dict[str, float] = metric.evaluate(size=1)
    return {name.removeprefix('soda_d/'): value for name, value in results.items()}


def test_perfect_detector(tmp_path: Path) -> None:
    boxes = [EXTREMELY, RELATIVELY, GENERALLY, NORMAL, LARGE]
    results = _run(_write(tmp_path / 'a.json', boxes), boxes)
    assert set(results) == {
        *('AP', 'AP50', 'AP75', 'AP_eS', 'AP_rS', 'AP_gS', 'AP_N', 'AP@1000'),
        *('recall50', 'recall50_score0.3'),
    }
    assert list(results.values()) == pytest.approx([1] * len(results))


def test_perfect_detector_on_260_small_objects(tmp_path: Path) -> None:
    """100 detections reach recall 100 / 260 = 0.385: 39 of the 101 recall thresholds."""
    boxes = [[20 * i, 0, 10, 10] for i in range(260)]
    results = _run(_write(tmp_path / 'a.json', boxes), boxes)
    assert results['AP'] == results['AP_eS'] == pytest.approx(39 / 101)
    assert results['AP@1000'] == pytest.approx(1)
    assert results['recall50'] == 1


@pytest.mark.parametrize(
    ('box', 'name'),
    [(EXTREMELY, 'AP_eS'), (RELATIVELY, 'AP_rS'), (GENERALLY, 'AP_gS'), (NORMAL, 'AP_N')],
)
def test_a_box_counts_in_its_own_area_only(tmp_path: Path, box: Box, name: str) -> None:
    boxes = [EXTREMELY, RELATIVELY, GENERALLY, NORMAL, LARGE]
    results = _run(_write(tmp_path / 'a.json', boxes), [box])
    areas = {key: results[key] for key in ('AP_eS', 'AP_rS', 'AP_gS', 'AP_N')}
    assert areas == {key: pytest.approx(1 if key == name else 0) for key in areas}
    # Of the three small boxes one is found: recall 1/3, 34 of the 101 thresholds; the normal one is
    # none of them.
    assert results['AP'] == pytest.approx(0 if name == 'AP_N' else 34 / 101)


def test_ends_of_area_ranges_belong_to_both(tmp_path: Path) -> None:
    boxes = [[0, 0, 12, 12]]
    results = _run(_write(tmp_path / 'a.json', boxes), boxes)
    assert results['AP_eS'] == results['AP_rS'] == pytest.approx(1)
    assert results['AP_gS'] == results['AP_N'] == -1


def test_objects_over_1024_px_neither_count_nor_cost_in_the_headline(tmp_path: Path) -> None:
    ann_file = _write(tmp_path / 'a.json', [EXTREMELY, NORMAL])
    assert _run(ann_file, [EXTREMELY])['AP'] == pytest.approx(1)
    wrong = [1000, 1000, 90, 90]
    assert _run(ann_file, [EXTREMELY, wrong], scores=[0.5, 0.9])['AP'] == pytest.approx(1)


def test_regions_to_ignore_take_no_part(tmp_path: Path) -> None:
    """The raw file gives what the file without category 10 gives; a detection there is a false positive."""
    region = [500, 500, 20, 20]
    raw = _write(tmp_path / 'raw.json', [EXTREMELY], ignored=[region])
    clean = _write(tmp_path / 'clean.json', [EXTREMELY])
    found = dict(boxes=[EXTREMELY, region], scores=[0.5, 0.9])
    assert _run(raw, **found) == _run(clean, **found)
    assert _run(raw, **found)['AP'] == pytest.approx(0.5)
    assert _run(raw, [EXTREMELY])['AP'] == pytest.approx(1)


def test_iscrowd_is_read_as_zero(tmp_path: Path) -> None:
    ann_file = _write(tmp_path / 'a.json', [EXTREMELY, RELATIVELY], iscrowd=1)
    results = _run(ann_file, [EXTREMELY])
    assert results['AP'] == pytest.approx(51 / 101)
    assert results['recall50'] == 0.5


def test_class_table_logs_small_objects(tmp_path: Path) -> None:
    metric = SODADMetric(_write(tmp_path / 'a.json', [EXTREMELY]), classwise=True)
    assert metric.table_area == 'small'


def test_no_ann_file() -> None:
    with pytest.raises(
        ValueError, match='SODADMetric got no ann_file: give it the annotation file'
    ):
        SODADMetric()
