"""Equality 1: split then merge gives the image back."""

from __future__ import annotations

import pytest
import torch

from mmpatch.patching import PatchGrid


@pytest.mark.parametrize(
    ('height', 'width', 'patch'),
    [(64, 64, 32), (65, 97, 32), (31, 200, 32), (32, 32, 32), (7, 5, 16), (100, 33, 1)],
)
def test_merge_inverts_split(height: int, width: int, patch: int) -> None:
    image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8)
    grid = PatchGrid(height, width, patch)
    patches = grid.split(image)
    assert patches.shape == (grid.num_patches, 3, patch, patch)
    assert torch.equal(grid.merge(patches), image)
    whole = grid.merge(patches, crop=False)
    assert whole.shape[1:] == (grid.rows * patch, grid.cols * patch)
    assert whole[:, height:].sum() == 0 and whole[:, :, width:].sum() == 0


def test_halo_reads_the_pixels_around_a_patch() -> None:
    image = torch.arange(1, 1 + 12 * 8).reshape(1, 12, 8)
    windows = PatchGrid(12, 8, 4, halo=2).split(image)
    assert windows.shape == (6, 1, 8, 8)
    assert torch.equal(windows[2, :, :, 2:], image[:, 2:10, 0:6])  # row 1, column 0
    assert windows[2, :, :, :2].sum() == 0  # left of the image
    assert torch.equal(windows[:, :, 2:6, 2:6], PatchGrid(12, 8, 4).split(image))


def test_merge_places_features_at_their_stride() -> None:
    grid = PatchGrid(70, 40, 32)
    numbers = torch.arange(grid.num_patches).reshape(-1, 1, 1, 1).expand(-1, 2, 4, 4)
    merged = grid.merge(numbers)
    assert merged.shape == (2, 9, 5)  # 70 / 8 and 40 / 8, rounded up
    assert merged[0, 8, 4] == 5 and merged[0, 0, 0] == 0 and merged[0, 4, 0] == 2


def test_neighbours() -> None:
    table = PatchGrid(3, 2, 1).neighbours()
    assert table[0].tolist() == [-1, -1, -1, -1, 0, 1, -1, 2, 3]
    assert table[3].tolist() == [0, 1, -1, 2, 3, -1, 4, 5, -1]


def test_bad_sizes() -> None:
    with pytest.raises(ValueError, match='height, width and patch_size >= 1'):
        PatchGrid(0, 10, 4)
    with pytest.raises(ValueError, match='halo=-1'):
        PatchGrid(10, 10, 4, halo=-1)
    with pytest.raises(ValueError, match='this grid cuts images of 10 x 10 px, got 9 x 10'):
        PatchGrid(10, 10, 4).split(torch.zeros(3, 9, 10))
    with pytest.raises(ValueError, match='expected maps of 9 patches, got 8'):
        PatchGrid(10, 10, 4).merge(torch.zeros(8, 3, 4, 4))
    with pytest.raises(IndexError, match='patch 9 of a grid of 9'):
        PatchGrid(10, 10, 4).window(9)
