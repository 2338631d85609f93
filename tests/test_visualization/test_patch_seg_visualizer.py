"""What the visualizer of masks draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image

from mmpatch.testing.tiny_segmentor import sample
from mmpatch.visualization import PatchSegVisualizer
from mmpatch.visualization.mask_page import WRONG


def draw(tmp_path: Path, image: Any, data: SegDataSample | None, **kwargs: Any) -> np.ndarray:
    visualizer = PatchSegVisualizer(panel_side=200)
    visualizer.dataset_meta = dict(
        classes=('background', 'thing', 'other'), palette=[(0, 0, 0), (0, 255, 0), (0, 0, 255)]
    )
    visualizer.add_datasample('x', image, data, out_file=str(tmp_path / 'out.png'), **kwargs)
    return np.array(Image.open(tmp_path / 'out.png'))


def has(page: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(page.astype(int) - colour).max(-1) < 40).sum())


@pytest.fixture
def both() -> SegDataSample:
    """Labels, and a prediction that is wrong in one corner."""
    data = sample(120, 180, 3)
    predicted = data.gt_sem_seg.data.clone()
    predicted[predicted == 255] = 0
    predicted[:, 90:, 140:] = (predicted[:, 90:, 140:] + 1) % 3
    data.pred_sem_seg = PixelData(data=predicted)
    return data


def test_three_panels_and_mistakes(tmp_path: Path, both: SegDataSample) -> None:
    page = draw(tmp_path, np.full((120, 180, 3), 90, dtype=np.uint8), both)
    assert page.shape[1] > 3 * 180
    mixed = tuple(int(0.3 * 90 + 0.7 * c) for c in WRONG)
    assert has(page, mixed) > 500
    alone = draw(tmp_path, np.full((120, 180, 3), 90, dtype=np.uint8), both, draw_gt=False)
    assert alone.shape[1] < page.shape[1] and has(alone, mixed) == 0


def test_large_images_get_details(tmp_path: Path) -> None:
    data = sample(500, 700, 3)
    data.pred_sem_seg = PixelData(data=data.gt_sem_seg.data % 3)
    page = draw(tmp_path, np.full((500, 700, 3), 90, dtype=np.uint8), data)
    assert page.shape[0] > 143 + 2 * 200  # the overview and two details of 200 px


def test_sixteen_bits_are_made_visible(tmp_path: Path) -> None:
    path = tmp_path / 'dark.png'
    pixels = np.random.default_rng(0).integers(0, 120, (64, 64)).astype(np.uint16)
    Image.fromarray(pixels).save(path)
    data = SegDataSample(metainfo=dict(img_path=str(path)))
    page = draw(tmp_path, np.zeros((64, 64, 3), dtype=np.uint8), data)
    grey = page[-100:, 20:180]
    assert grey.min() < 40 and grey.max() > 220
