"""Panels show exactly the patches that were drawn."""

import numpy as np
import torch

from mmpatch.patching import PatchBatch, PatchGrid
from mmpatch.testing.tiny_detector import image
from mmpatch.visualization.draws_page import (
    DIMMED,
    DRAWN,
    HALO,
    Draws,
    cells_of,
    draw_draws,
    draws_of_batch,
    grid_view,
    panel,
)


def two_images() -> tuple[PatchBatch, list[torch.Tensor]]:
    """2 x 3 and 2 x 2 patches, and three inner iterations on both."""
    batch = PatchBatch([image(128, 190), image(100, 128, seed=1)], 64)
    return batch, [torch.tensor(flat) for flat in ([0, 4, 7], [1, 2, 6], [5, 8, 9])]


def pages() -> list[Draws]:
    batch, draws = two_images()
    boxes = [np.array([[10.0, 10, 40, 50]]), np.zeros((0, 4))]
    return draws_of_batch(batch, draws, boxes, ['a.png', 'b.png'], note='seed 0')


def test_flat_numbers_become_numbers_of_the_image() -> None:
    first, second = pages()
    assert [drawn.tolist() for drawn in first.rounds] == [[0, 4], [1, 2], [5]]
    assert [drawn.tolist() for drawn in second.rounds] == [[1], [0], [2, 3]]
    assert first.title == 'a.png'


def test_colours_are_turned_to_rgb() -> None:
    batch, _ = two_images()
    first = pages()[0]
    assert np.array_equal(first.image[..., 0], batch.images[0][2].numpy())
    assert first.thumbnail is not None
    assert np.array_equal(first.thumbnail[..., 2], batch.thumbnails[0][0].numpy())


def test_grey_and_float_images() -> None:
    batch = PatchBatch([torch.full((1, 64, 64), 300.0)], 64)
    [page] = draws_of_batch(
        batch, [torch.tensor([0])], [np.zeros((0, 4))], ['x'], global_patch=False
    )
    assert page.thumbnail is None
    assert (page.image == 255).all()


def test_a_panel_is_bright_where_and_only_where_its_patches_are() -> None:
    bright = Draws(
        image=np.full((128, 192, 3), 200, dtype=np.uint8),
        thumbnail=None,
        grid=PatchGrid(128, 192, 64),
        rounds=[np.array([0, 4]), np.array([5])],
        boxes=np.zeros((0, 4)),
        title='x',
    )
    view = grid_view(bright.image, bright.grid, 384)
    for number, drawn in enumerate(bright.rounds):
        canvas = panel(bright, number, view)
        middles = ((cells_of(bright.grid)[:, :2] + 40) * canvas.scale).astype(int)
        values = [int(canvas.pixels[y, x, 0]) for x, y in middles]
        assert [n for n, value in enumerate(values) if value == 200] == drawn.tolist()
        assert {value for value in values if value != 200} == {int(200 * DIMMED)}
        framed = (canvas.pixels == DRAWN).all(axis=-1)
        corner = cells_of(bright.grid)[drawn[0], 2:] * canvas.scale - 1
        assert framed[int(corner[1]), int(corner[0])]


def test_padding_belongs_to_the_picture() -> None:
    grid = PatchGrid(100, 130, 64)
    canvas = grid_view(np.zeros((100, 130, 3), dtype=np.uint8), grid, 384)
    assert canvas.pixels.shape == (256, 384, 3)
    assert canvas.pixels[:200, :260].max() == 0
    assert canvas.pixels[201:].min() > 200
    assert canvas.pixels[:, 261:].min() > 200


def test_caption() -> None:
    first = pages()[0]
    assert first.caption() == (
        '190 x 128 px in patches of P = 64 px: N = 2 x 3 = 6 patches, J = 3 inner iterations of '
        'K = 1 or 2, which draw 5 of them; 1 objects'
    )
    batch = PatchBatch([image(128, 190)], 64, halo=32)
    [page] = draws_of_batch(batch, [torch.arange(6)], [np.zeros((0, 4))], ['x'])
    assert 'P = 64 px and a halo of 32 px' in page.caption()


def test_the_window_is_drawn_where_it_is_read() -> None:
    """Patch 3 of 2 x 2 is at the border: its window is moved into the image."""
    grid = PatchGrid(128, 128, 64, halo=16)
    blank = np.zeros((128, 128, 3), dtype=np.uint8)
    draws = Draws(blank, None, grid, [np.array([0])], np.zeros((0, 4)), 'x')
    page = draw_draws(draws)
    ys, xs = (page == HALO).all(axis=-1).nonzero()
    scale = 512 / 128  # of the overview
    assert abs(np.ptp(xs) / scale - 96) < 2 and abs(np.ptp(ys) / scale - 96) < 2


def test_a_page_has_room_for_all_panels() -> None:
    batch, _ = two_images()
    sizes = []
    for count in (1, 8, 30):
        draws = [torch.arange(batch.num_patches)] * count
        page = draws_of_batch(batch, draws, [np.zeros((0, 4))] * 2, ['a', 'b'])[0]
        sizes.append(draw_draws(page).shape)
    assert sizes[0][0] < sizes[1][0] < sizes[2][0]
    assert max(width for _, width, _ in sizes) < 1500
