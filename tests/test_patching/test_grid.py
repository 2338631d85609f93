"""Split then merge gives the image back."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmpatch.patching import PatchGrid

#: Multiples of 32 px; a pixel, a cell of 8 px and one of 32 px more and less; less than a patch.
SIZES = [(64, 64), (65, 95), (72, 88), (96, 160), (31, 200), (32, 32), (7, 5), (100, 33)]


@pytest.mark.parametrize('stride', [1, 8, 32])
@pytest.mark.parametrize('halo', [0, 32])
@pytest.mark.parametrize('patch', [32, 64])
@pytest.mark.parametrize(('height', 'width'), SIZES)
def test_merge_inverts_split(height: int, width: int, patch: int, halo: int, stride: int) -> None:
    image = torch.randint(1, 256, (3, height, width), dtype=torch.uint8)
    grid = PatchGrid(height, width, patch, halo, stride)
    windows = grid.split(image)
    assert windows.shape == (grid.num_patches, 3, grid.window_size, grid.window_size)
    patches = torch.stack([grid.crop(i, window) for i, window in enumerate(windows)])
    assert patches.shape == (grid.num_patches, 3, patch, patch)
    assert torch.equal(grid.merge(patches), image)
    whole = grid.merge(patches, crop=False)
    assert whole.shape[1:] == (grid.rows * patch, grid.cols * patch)
    assert whole[:, height:].sum() == 0 and whole[:, :, width:].sum() == 0


@pytest.mark.parametrize('stride', [1, 8, 32])
@pytest.mark.parametrize('halo', [0, 32])
@pytest.mark.parametrize(('height', 'width'), SIZES)
def test_a_window_holds_less_than_a_stride_of_padding(
    height: int, width: int, halo: int, stride: int
) -> None:
    """But for images smaller than a window, and no window is moved without need."""
    grid = PatchGrid(height, width, 32, halo, stride)
    for index in range(grid.num_patches):
        places, margins, parts = divmod(index, grid.cols), grid.margin(index), grid.window(index)
        for place, margin, part, length in zip(places, margins, parts, (height, width)):
            padding = grid.window_size - (part.stop - part.start)
            assert margin % stride == 0
            assert part.start == place * 32 - margin >= 0
            assert padding < stride or part == slice(0, length)
            if halo <= place * 32 and place * 32 + 32 + halo <= length:
                assert margin == halo


@pytest.mark.parametrize(('height', 'width'), SIZES)
@pytest.mark.parametrize('halo', [0, 32])
def test_cells_of_windows_are_cells_of_the_image(height: int, width: int, halo: int) -> None:
    image = torch.rand(2, height, width)
    grid = PatchGrid(height, width, 32, halo, stride=16)
    maps = F.avg_pool2d(grid.split(image), 8)
    cropped = torch.stack([grid.crop(i, m) for i, m in enumerate(maps)])
    padded = F.pad(image, (0, grid.cols * 32 - width, 0, grid.rows * 32 - height))
    torch.testing.assert_close(grid.merge(cropped, crop=False), F.avg_pool2d(padded, 8))


def test_halo_reads_the_pixels_around_a_patch() -> None:
    image = torch.arange(1, 1 + 20 * 8).reshape(1, 20, 8)
    grid = PatchGrid(20, 8, 4, halo=2)
    windows = grid.split(image)
    assert windows.shape == (10, 1, 8, 8)
    assert torch.equal(windows[4], image[:, 6:14, 0:8])  # row 2, column 0: moved to the border
    assert grid.margin(4) == (2, 0) and grid.margin(5) == (2, 4)
    assert grid.margin(0) == (0, 0) and grid.margin(9) == (4, 4)
    for window, patch, (y, x) in zip(
        windows, PatchGrid(20, 8, 4).split(image), map(grid.margin, range(10))
    ):
        assert torch.equal(window[:, y : y + 4, x : x + 4], patch)


def test_a_window_larger_than_the_grid_is_padded() -> None:
    windows = PatchGrid(4, 4, 4, halo=2).split(torch.ones(1, 4, 4))
    assert windows.shape == (1, 1, 8, 8) and windows.sum() == 16


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
    with pytest.raises(ValueError, match='height, width, patch_size and stride >= 1'):
        PatchGrid(0, 10, 4)
    with pytest.raises(ValueError, match='halo=-1'):
        PatchGrid(10, 10, 4, halo=-1)
    with pytest.raises(ValueError, match=r'halo=2 px must be multiples of stride=4 px: choose'):
        PatchGrid(10, 10, 4, halo=2, stride=4)
    with pytest.raises(ValueError, match='this grid cuts images of 10 x 10 px, got 9 x 10'):
        PatchGrid(10, 10, 4).split(torch.zeros(3, 9, 10))
    with pytest.raises(ValueError, match='expected maps of 9 patches, got 8'):
        PatchGrid(10, 10, 4).merge(torch.zeros(8, 3, 4, 4))
    with pytest.raises(IndexError, match='patch 9 of a grid of 9'):
        PatchGrid(10, 10, 4).window(9)
