"""Details lie where the boxes are."""

import numpy as np
import pytest

from mmpatch.visualization.canvas import overlap
from mmpatch.visualization.detail_regions import choose_regions


@pytest.mark.parametrize('size', [(1000, 1400), (300, 5000), (2472, 2299), (257, 256)])
def test_regions_are_inside_and_apart(size: tuple[int, int]) -> None:
    height, width = size
    centres = np.random.default_rng(0).uniform(0, 1, (200, 2)) * (width, height)
    regions = choose_regions(centres, size, 256, 4)
    assert 1 <= len(regions) <= 4
    assert regions == choose_regions(centres, size, 256, 4)
    for left, top, right, bottom in regions:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert (right - left, bottom - top) == (256, 256)
    assert not any(overlap(a, b) for i, a in enumerate(regions) for b in regions[:i])


def test_the_fullest_places_are_chosen() -> None:
    rng = np.random.default_rng(0)
    crowds = [rng.uniform(0, 60, (n, 2)) + at for n, at in ((30, (800, 100)), (20, (100, 700)))]
    alone = np.array([[500.0, 500.0]])
    regions = choose_regions(np.concatenate([*crowds, alone]), (1000, 1000), 100, 2)
    for crowd, (left, top, right, bottom) in zip(crowds, regions):
        assert (crowd >= (left, top)).all()
        assert (crowd < (right, bottom)).all()


def test_no_empty_regions() -> None:
    assert choose_regions(np.zeros((0, 2)), (1000, 1000), 100, 3) == []
    assert len(choose_regions(np.array([[500.0, 500.0]]), (1000, 1000), 100, 3)) == 1


def test_an_image_narrower_than_a_region() -> None:
    centres = np.array([[10.0, 10.0], [900.0, 10.0]])
    regions = choose_regions(centres, (50, 1000), 200, 2)
    assert [(top, bottom) for _, top, _, bottom in regions] == [(0, 50), (0, 50)]
    assert len(regions) == 2
