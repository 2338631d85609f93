"""One page of what training draws from an image: its grid, its patches, its global patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mmpatch.patching import PatchBatch, PatchGrid

from .canvas import INK, WHITE, Canvas, Colour, text_size
from .layout import GAP, TEXT_SIZE, below, beside, blank, framed, paragraph

GRID: Colour = (255, 255, 255)
DRAWN: Colour = (255, 225, 0)
OBJECT: Colour = (0, 255, 255)
HALO: Colour = (255, 70, 200)
#: What lies outside of the image but inside of its grid.
PADDING: Colour = (205, 205, 210)
OVERVIEW_SIDE = 900
GLOBAL_SIDE = 420
#: Width that the panels of the inner iterations share [px].
PANELS_WIDTH = 1332
#: Brightness of the patches that an inner iteration does not draw.
DIMMED = 0.32


@dataclass(frozen=True)
class Draws:
    """The content of one image's page.

    Attributes:
        image: (H, W, 3) RGB uint8.
        thumbnail: The global patch, (P, P, 3) RGB uint8; None if the model takes none.
        grid: The grid over the image.
        rounds: J arrays of patch numbers, 0 <= number < N.
        boxes: (G, 4) objects [px].
        title: Name of the image.
        note: What else to say, such as the seed.
    """

    image: NDArray[Any]
    thumbnail: NDArray[Any] | None
    grid: PatchGrid
    rounds: Sequence[NDArray[Any]]
    boxes: NDArray[Any]
    title: str
    note: str = ''

    def caption(self) -> str:
        """The sizes in one line."""
        grid, counts = self.grid, sorted({len(drawn) for drawn in self.rounds})
        drawn = ' or '.join(map(str, counts))
        covered = len(np.unique(np.concatenate(self.rounds)))
        halo = f' and a halo of {grid.halo} px' if grid.halo else ''
        return (
            f'{grid.width} x {grid.height} px in patches of P = {grid.patch_size} px{halo}: '
            f'N = {grid.rows} x {grid.cols} = {grid.num_patches} patches, J = {len(self.rounds)} '
            f'inner iterations of K = {drawn}, which draw {covered} of them; '
            f'{len(self.boxes)} objects'
        )


def draws_of_batch(
    batch: PatchBatch[object],
    draws: Sequence[Tensor],
    boxes: Sequence[NDArray[Any]],
    titles: Sequence[str],
    *,
    global_patch: bool = True,
    note: str = '',
) -> list[Draws]:
    """Sort the draws of a batch by image.

    Args:
        batch: B images in BGR, as mmcv loads them, or grey.
        draws: Flat patch numbers of the J inner iterations, as the train loop draws them.
        boxes: Objects of each image, (G, 4) [px].
        titles: Name of each image.
        global_patch: Whether the model sees the global patch.
        note: What else to say.

    Returns:
        What the page of each image tells.
    """
    pages = []
    for number, grid in enumerate(batch.grids):
        first, last = batch.starts[number], batch.starts[number + 1]
        own = [flat[(flat >= first) & (flat < last)] for flat in draws]
        rounds = [batch.places[flat].numpy() for flat in own]
        pages.append(
            Draws(
                image=_rgb(batch.images[number][:, :, :]),
                thumbnail=_rgb(batch.thumbnails[number]) if global_patch else None,
                grid=grid,
                rounds=rounds,
                boxes=boxes[number],
                title=titles[number],
                note=note,
            )
        )
    return pages


def draw_draws(draws: Draws) -> NDArray[Any]:
    """Draw the grid and the objects, the global patch beside them, and one panel per inner iteration.

    Args:
        draws: What to draw.

    Returns:
        The page (h, w, 3), RGB uint8.
    """
    top = [_overview(draws)]
    if draws.thumbnail is not None:
        top.append(_global_patch(draws.thumbnail, draws.grid.patch_size))
    count = len(draws.rounds)
    a_row = 4 if count <= 8 else 5 if count <= 20 else 6
    side = (PANELS_WIDTH + GAP) // a_row - GAP
    view = grid_view(draws.image, draws.grid, side)
    panels = [_titled_panel(draws, number, view) for number in range(count)]
    rows = [beside(panels[start : start + a_row]) for start in range(0, count, a_row)]
    body = below([beside(top), *rows])
    width = body.shape[1]
    head = [paragraph(draws.title, width), paragraph(draws.caption(), width, TEXT_SIZE + 2)]
    if draws.note:
        head.append(paragraph(draws.note, width))
    return framed(below([*head, body], GAP // 2))


def panel(draws: Draws, number: int, view: Canvas) -> Canvas:
    """The picture of one inner iteration: its patches bright and framed, the others dimmed.

    Args:
        draws: What to draw.
        number: Number of the inner iteration, from 0.
        view: The :func:`grid_view` to draw on a copy of; a very large image is reduced only once.
    """
    canvas = Canvas(view.pixels.copy(), scale=view.scale)
    drawn = draws.rounds[number]
    cells = cells_of(draws.grid)
    canvas.dim_outside(cells[drawn], DIMMED)
    line = 2 if draws.grid.patch_size * canvas.scale > 16 else 1
    canvas.boxes(cells[drawn], [DRAWN] * len(drawn), line)
    _number(canvas, cells[drawn], drawn, DRAWN)
    return canvas


def grid_view(image: NDArray[Any], grid: PatchGrid, longest: int) -> Canvas:
    """The image with the padding that its grid adds, reduced (or magnified) to ``longest`` px."""
    full_height, full_width = grid.rows * grid.patch_size, grid.cols * grid.patch_size
    scale = min(longest / max(full_height, full_width), 4.0)
    reduced = Canvas.view(image, scale=scale).pixels
    height = max(round(full_height * scale), reduced.shape[0])
    width = max(round(full_width * scale), reduced.shape[1])
    pixels = np.full((height, width, 3), PADDING, dtype=np.uint8)
    pixels[: reduced.shape[0], : reduced.shape[1]] = reduced
    return Canvas(pixels, scale=scale)


def cells_of(grid: PatchGrid) -> NDArray[Any]:
    """Corners of all patches of a grid, without halo; (N, 4) [px]."""
    corners = grid.origins().numpy()[:, ::-1].astype(float)
    return np.concatenate([corners, corners + grid.patch_size], axis=1)


def _overview(draws: Draws) -> NDArray[Any]:
    canvas = grid_view(draws.image, draws.grid, OVERVIEW_SIDE)
    cells = cells_of(draws.grid)
    canvas.boxes(cells, [GRID] * len(cells))
    canvas.boxes(draws.boxes, [OBJECT] * len(draws.boxes))
    _number(canvas, cells, np.arange(len(cells)), WHITE)
    marks = 'grid with the numbers of the patches, objects in cyan'
    if draws.grid.halo:
        middle = draws.grid.rows // 2 * draws.grid.cols + draws.grid.cols // 2
        rows, cols = draws.grid.window(middle)
        window = np.array([[cols.start, rows.start, cols.stop, rows.stop]])
        canvas.boxes(window, [HALO], 3)
        marks += f', the window read for patch {middle} in pink'
    if _has_padding(draws.grid):
        marks += ', padding in grey'
    return below([paragraph(marks, canvas.pixels.shape[1]), canvas.pixels], 2)


def _has_padding(grid: PatchGrid) -> bool:
    return bool(grid.height % grid.patch_size or grid.width % grid.patch_size)


def _global_patch(thumbnail: NDArray[Any], patch_size: int) -> NDArray[Any]:
    scale = GLOBAL_SIDE / patch_size
    picture = Canvas.view(thumbnail, scale=scale).pixels
    text = f'global patch, {patch_size} x {patch_size} px, drawn at {scale:.0%}'
    return below([paragraph(text, picture.shape[1]), picture], 2)


def _titled_panel(draws: Draws, number: int, view: Canvas) -> NDArray[Any]:
    """A panel under its title; narrow pictures get the room that their title needs."""
    drawn = len(draws.rounds[number])
    patches = 'patch' if drawn == 1 else 'patches'
    title = f'inner iteration {number + 1} of {len(draws.rounds)}: {drawn} {patches}'
    picture = panel(draws, number, view).pixels
    width = max(picture.shape[1], text_size(title, TEXT_SIZE - 1)[0])
    page = blank(picture.shape[0], width)
    page[:, : picture.shape[1]] = picture
    return below([paragraph(title, width, TEXT_SIZE - 1), page], 2)


def _number(canvas: Canvas, cells: NDArray[Any], numbers: NDArray[Any], background: Colour) -> None:
    """Write patch numbers in the corners of their cells, where the cells are large enough."""
    corners = canvas.to_picture(cells)
    size = 12 if max(canvas.pixels.shape) >= OVERVIEW_SIDE else 10
    for (x0, y0, x1, y1), number in zip(corners.tolist(), numbers.tolist()):
        width, height = text_size(str(number), size)
        if width + 4 <= x1 - x0 and height + 4 <= y1 - y0:
            canvas.text((x0 + 2, y0 + 2), str(number), size, INK, background)


def _rgb(image: Tensor) -> NDArray[Any]:
    """Turn an image (C, H, W), BGR as mmcv loads it or grey, into (H, W, 3) RGB uint8."""
    pixels = image.clamp(0, 255).byte() if image.is_floating_point() else image
    if pixels.shape[0] == 1:
        pixels = pixels.expand(3, -1, -1)
    return np.ascontiguousarray(pixels[:3].flip(0).permute(1, 2, 0).numpy())
