"""The largest image is found whatever the data set tells of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmpatch.datasets.image_sizes import largest_image


class Listed:
    """A data set of some infos."""

    def __init__(self, infos: list[dict[str, Any]]) -> None:
        self.infos = infos

    def full_init(self) -> None:
        """Nothing to load."""

    def __len__(self) -> int:
        return len(self.infos)

    def get_data_info(self, index: int) -> dict[str, Any]:
        return self.infos[index]


def test_sizes_of_annotations() -> None:
    sizes = [(10, 10), (20, 30), (25, 20)]
    assert largest_image(Listed([dict(height=h, width=w) for h, w in sizes])) == 1


def test_sizes_of_file_headers(tmp_path: Path) -> None:
    """As for segmentation and classification, whose annotations tell no size."""
    for i, (height, width) in enumerate([(10, 10), (20, 21), (20, 20)]):
        cv2.imwrite(str(tmp_path / f'{i}.png'), np.zeros((height, width, 3), np.uint8))
    infos = [dict(img_path=str(tmp_path / f'{i}.png')) for i in range(3)]
    assert largest_image(Listed(infos)) == 1


def test_a_data_set_that_tells_nothing() -> None:
    assert largest_image(Listed([{}, {}])) == 0
    assert largest_image([1, 2, 3]) == 0
