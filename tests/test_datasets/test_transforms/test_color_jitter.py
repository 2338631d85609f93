"""The jitter by a table is that of mmpretrain."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from mmpretrain.datasets.transforms import ColorJitter as StockColorJitter

from mmpatch.registry import TRANSFORMS


@pytest.fixture
def image() -> np.ndarray:
    values = np.random.default_rng(0).normal([60, 120, 220], 50, (96, 80, 3))
    return values.clip(0, 255).astype(np.uint8)


def both(settings: dict[str, Any], image: np.ndarray, seed: int) -> list[np.ndarray]:
    """What the stock transform and ours make of an image."""
    ours = TRANSFORMS.build(dict(type='mmpatch.ColorJitter', **settings))
    made = []
    for transform in (StockColorJitter(**settings), ours):
        np.random.seed(seed)  # noqa: NPY002 (the generator that transforms draw from)
        made.append(transform(dict(img=image.copy()))['img'].astype(int))
    return made


@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize(
    'settings', [dict(brightness=0.5), dict(contrast=0.5), dict(brightness=0.4, contrast=0.4)]
)
def test_it_equals_the_stock_transform(
    image: np.ndarray, settings: dict[str, float], seed: int
) -> None:
    expected, found = both(settings, image, seed)
    assert abs(expected - image).mean() > 0.5  # the seed changes something
    assert abs(found - expected).max() <= 1
    assert abs(found - expected).mean() < 0.5


def test_colours_that_mix_channels_are_left_to_the_stock_transform(image: np.ndarray) -> None:
    expected, found = both(dict(brightness=0.4, hue=0.2), image, seed=3)
    assert np.array_equal(found, expected)


def test_histograms_of_one_axis(image: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """As later versions of OpenCV give them."""
    stock = cv2.calcHist
    expected = both(dict(contrast=0.5), image, 1)[1]
    monkeypatch.setattr(cv2, 'calcHist', lambda *args: stock(*args)[:, 0])
    assert np.array_equal(both(dict(contrast=0.5), image, 1)[1], expected)
