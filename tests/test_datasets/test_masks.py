"""Masks of colours and of grey values."""

from __future__ import annotations

import numpy as np
import pytest

from mmpatch.datasets.masks import colours_to_labels, grey_to_binary

LABELS = {(255, 0, 0): 0, (0, 0, 255): 3}


def test_colours() -> None:
    mask = np.array([[[255, 0, 0], [0, 0, 255]]], dtype=np.uint8)
    assert colours_to_labels(mask, LABELS, 'a.png').tolist() == [[0, 3]]
    mask[0, 0] = 1, 2, 3
    with pytest.raises(ValueError, match=r'a.png has 1 colour.* #010203 \(1 px\)\. The classes'):
        colours_to_labels(mask, LABELS, 'a.png')
    with pytest.raises(ValueError, match=r'a.png is no RGB mask: its shape is \(1, 2\)'):
        colours_to_labels(mask[..., 0], LABELS, 'a.png')


@pytest.mark.parametrize(
    ('mask', 'labels'),
    [
        (np.array([[0, 1]], dtype=np.uint8), [[0, 1]]),
        (np.array([[0, 255]], dtype=np.uint8), [[0, 1]]),
        (np.array([[20, 127, 128]], dtype=np.uint8), [[0, 0, 1]]),
        (np.array([[False, True]]), [[0, 1]]),
        (np.array([[0, 65535]], dtype=np.uint16), [[0, 1]]),
        (np.full((1, 2, 3), 255, dtype=np.uint8), [[1, 1]]),
        (np.zeros((1, 2), dtype=np.uint8), [[0, 0]]),
    ],
)
def test_binary(mask: np.ndarray, labels: list[list[int]]) -> None:
    assert grey_to_binary(mask, 'a.png').tolist() == labels


def test_a_coloured_mask_is_not_binary() -> None:
    with pytest.raises(ValueError, match=r'a.png has colours'):
        grey_to_binary(np.array([[[1, 2, 3]]], dtype=np.uint8), 'a.png')
