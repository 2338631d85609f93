"""Colours are bright, and apart."""

import numpy as np
import pytest
from mmdet.datasets import CocoDataset

from mmpatch.visualization.colours import (
    LUMINANCE_WEIGHTS,
    READABLE_LUMINANCE,
    TOLD_APART,
    class_colours,
    readable,
)


@pytest.mark.parametrize(
    'colour', [(0, 0, 0), (34, 139, 34), (0, 0, 142), (255, 255, 255), (10, 0, 0)]
)
def test_readable(colour: tuple[int, int, int]) -> None:
    assert np.array(readable(colour)) @ LUMINANCE_WEIGHTS > READABLE_LUMINANCE - 1


def test_readable_keeps_the_hue() -> None:
    red, green, blue = readable((34, 139, 34))
    assert red == blue
    assert green > 200
    assert readable((250, 170, 30)) == (250, 170, 30)


def test_a_palette_that_stays_apart_is_kept() -> None:
    assert class_colours([(0, 255, 0), (255, 200, 200)]) == [(0, 255, 0), (255, 200, 200)]


def test_colours_that_would_merge_are_replaced() -> None:
    """The blues of COCO's palette become one when they are brightened."""
    palette = CocoDataset.METAINFO['palette'][:8]
    for colours, apart in (([readable(c) for c in palette], False), (class_colours(palette), True)):
        pairs = [np.linalg.norm(np.subtract(a, b)) for a in colours for b in colours if a is not b]
        assert (min(pairs) >= TOLD_APART / 2) == apart


def test_no_classes() -> None:
    assert class_colours([]) == []
