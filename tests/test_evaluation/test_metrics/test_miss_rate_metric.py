"""The miss rate of pedestrians, on detections whose curve is known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from mmpatch.evaluation import MissRateMetric

#: x, y, width, height [px]
TALL, SMALL, TINY = [0, 0, 30, 100], [200, 0, 20, 60], [300, 0, 10, 30]
NOWHERE = [1000, 1000, 30, 90]


def write(path: Path, boxes: list[list[int]], num_images: int = 1, **more: Any) -> str:
    """All boxes are in the first image; ``more`` has a list for every box."""
    annotations = [
        {
            'id': number,
            'image_id': 0,
            'category_id': 1,
            'bbox': box,
            'vis_ratio': 1.0,
            **{key: values[number] for key, values in more.items()},
        }
        for number, box in enumerate(boxes)
    ]
    images = [
        {'id': i, 'file_name': f'{i}.jpg', 'width': 2000, 'height': 1500} for i in range(num_images)
    ]
    categories = [{'id': 1, 'name': 'Pedestrian'}]
    path.write_text(
        json.dumps({'images': images, 'annotations': annotations, 'categories': categories})
    )
    return str(path)


def run(ann_file: str, boxes: list[list[int]], num_images: int = 1) -> dict[str, float]:
    """Detections of the first image, by descending score."""
    metric = MissRateMetric(ann_file)
    metric.dataset_meta = {'classes': ('Pedestrian',)}
    for image in range(num_images):
        here = boxes if image == 0 else []
        corners = [[x, y, x + w, y + h] for x, y, w, h in here]
        predictions = {
            'bboxes': torch.tensor(corners, dtype=torch.float32).reshape(-1, 4),
            'scores': torch.linspace(0.9, 0.1, len(here)),
            'labels': torch.zeros(len(here), dtype=torch.long),
        }
        sample = {'pred_instances': predictions, 'img_id': image, 'ori_shape': (1500, 2000)}
        metric.process({}, [sample])
    found: dict[str, float] = metric.evaluate(size=num_images)
    return {name.removeprefix('pedestrian/'): value for name, value in found.items()}


def test_nothing_found_and_all_found(tmp_path: Path) -> None:
    truth = write(tmp_path / 'a.json', [TALL, SMALL])
    missed, found = run(truth, []), run(truth, [TALL, SMALL])
    for name in ('MR_R', 'MR_RS', 'MR_R+HO', 'MR_A'):
        assert missed[name] == 1.0 and found[name] == pytest.approx(1e-10)
    assert missed['MR_HO'] == found['MR_HO'] == -1.0
    assert missed['AP'] == 0.0 and found['AP'] == pytest.approx(1.0)


def test_the_curve(tmp_path: Path) -> None:
    """One of two, a false positive, the other: half is missed below one false positive an image."""
    found = run(write(tmp_path / 'a.json', [TALL, SMALL]), [TALL, NOWHERE, SMALL])
    assert found['MR_R'] == pytest.approx(math.exp((8 * math.log(0.5) + math.log(1e-10)) / 9))


def test_false_positives_are_counted_an_image(tmp_path: Path) -> None:
    """The false positive comes first: in 20 images it is 0.05 an image, allowed at 6 of 9 points."""
    found = run(write(tmp_path / 'a.json', [TALL, SMALL], 20), [NOWHERE, TALL], 20)
    points = [10 ** (-2 + i / 4) for i in range(9)]
    allowed = sum(point >= 0.05 for point in points)
    assert 0 < allowed < 9
    assert found['MR_R'] == pytest.approx(0.5 ** (allowed / 9))


def test_what_is_outside_a_subset_neither_counts_nor_costs(tmp_path: Path) -> None:
    truth = write(
        tmp_path / 'a.json',
        [TALL, SMALL, TINY, [500, 0, 40, 120], [700, 0, 40, 120]],
        vis_ratio=[1.0, 0.7, 1.0, 0.3, 0.1],
        ignore=[0, 0, 0, 0, 0],
    )
    everything = [TALL, SMALL, TINY, [500, 0, 40, 120], [700, 0, 40, 120]]
    found = run(truth, everything)
    assert [found[f'MR_{name}'] for name in ('R', 'RS', 'HO', 'R+HO', 'A')] == pytest.approx(
        [1e-10] * 5
    )
    only_tall = run(truth, [TALL])
    assert only_tall['MR_R'] == pytest.approx(0.5)  # of TALL, SMALL
    assert only_tall['MR_RS'] == 1.0 and only_tall['MR_HO'] == 1.0
    assert only_tall['MR_R+HO'] == pytest.approx(2 / 3)
    assert only_tall['MR_A'] == pytest.approx(3 / 4)


def test_ignored_pedestrians(tmp_path: Path) -> None:
    truth = write(tmp_path / 'a.json', [TALL, SMALL], ignore=[0, 1])
    assert run(truth, [SMALL, TALL])['MR_R'] == pytest.approx(1e-10)


def test_detections_far_below_the_height_take_no_part(tmp_path: Path) -> None:
    """A false positive of 30 px costs among all (20 px and more), not among those of 50 px."""
    found = run(write(tmp_path / 'a.json', [TALL]), [[900, 900, 10, 30], TALL])
    assert found['MR_R'] == pytest.approx(1e-10)
    assert found['MR_A'] == pytest.approx(math.exp(math.log(1e-10) / 9))


def test_the_height_of_the_annotation_counts(tmp_path: Path) -> None:
    truth = write(tmp_path / 'a.json', [TINY], height=[60])
    assert run(truth, [])['MR_RS'] == 1.0


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='got no ann_file'):
        MissRateMetric()
    path = Path(write(tmp_path / 'a.json', [TALL]))
    path.write_text(path.read_text().replace('vis_ratio', 'visible'))
    with pytest.raises(ValueError, match=r'annotation 0 of .*a.json has no vis_ratio'):
        MissRateMetric(str(path))
