"""One pass over a batch without gradient, with about two rows of Z in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .batch import PatchBatch
from .chunks import ChunkOrder
from .grid import NEIGHBOURHOOD
from .latent import Latent
from .store import Features

#: theta1 on the patches with some flat numbers.
Encode = Callable[[Tensor], Features]


def sweep(
    batch: PatchBatch[object], encode: Encode, chunk_size: int, first: int = 0
) -> Iterator[tuple[Latent, Tensor]]:
    """Encode patches and stop wherever theta2 can read a patch and its neighbours.

    Args:
        batch: The batch.
        encode: theta1 on K patches -> (K, D_l, h_l, w_l) per level.
        chunk_size: Patches encoded at once.
        first: Flat number of the first patch that is wanted. Patches that no wanted one needs are
            not encoded.

    Yields:
        The latent, and flat numbers (S,) of patches that are encoded together with their
        neighbours. Every wanted patch comes once.
    """
    order = ChunkOrder(batch, chunk_size)
    latent = Latent(batch, order.capacity)
    needed = _first_needed(batch, chunk_size, first)
    batch.expect(order.chunks)
    for i, chunk in enumerate(order.chunks):
        if int(chunk[-1]) >= needed:
            latent.write(chunk, encode(chunk))
        for j in order.completed(i):
            if int(order.chunks[j][-1]) >= first:
                yield latent, order.chunks[j]


def blended_sweep(
    batch: PatchBatch[object], encode: Encode, chunk_size: int, first: int = 0
) -> Iterator[tuple[Latent, Tensor]]:
    """The same, with features blended where windows overlap.

    Args:
        batch: The batch; its halo is what windows overlap by.
        encode: theta1 on the windows of K patches, their halo not cut off, (K, D_l, ., .).
        chunk_size: Patches encoded at once.
        first: Flat number of the first patch that is wanted.

    Yields:
        As :func:`sweep`; the latent holds blended features.
    """
    order = ChunkOrder(batch, chunk_size)
    latent = Latent(batch, order.capacity)
    needed = _first_needed(batch, chunk_size, first)
    for windows, chunk in sweep(batch, encode, chunk_size, needed):
        latent.write(chunk, tuple(blend(windows, i, chunk) for i in range(len(windows.levels))))
        for j in order.completed(int(chunk[0]) // chunk_size):
            if int(order.chunks[j][-1]) >= first:
                yield latent, order.chunks[j]


def blend(windows: Latent, level: int, indices: Tensor) -> Tensor:
    """Mean of the windows that cover a patch, weighted by the distance to the ends of their halos.

    A window that was moved into the image keeps its weights: they fade out where its halo would end
    if it had its patch in the middle.

    Args:
        windows: Features of windows with halo, also of the neighbours of the patches.
        level: Number of the feature level.
        indices: (S,) flat numbers of the patches.

    Returns:
        (S, D, h, w), without halo; zeros where no window reaches.
    """
    batch = windows.batch
    length = windows.levels[level].shape[-1]
    cell = batch.window_size // length
    cells, halo = batch.patch_size // cell, batch.halo // cell

    distance = torch.arange(length) + 0.5
    ramp = torch.minimum(distance, length - distance) / max(2 * halo, 1)
    ramp = ramp.clamp(max=1.0)

    def along(step: int, margin: int) -> tuple[slice, slice, Tensor]:
        """On one axis, what a neighbour's window covers: cells of the patch, of the window, weights."""
        start = margin // cell - step * cells  # of the patch in the window
        unmoved = halo - step * cells  # the same if the neighbour were in the middle of its window
        first = max(0, -start, -unmoved)
        end = max(first, min(cells, length - start, length - unmoved))
        weight = ramp[first + unmoved : end + unmoved]
        return slice(first, end), slice(first + start, end + start), weight

    result = []
    for index in indices.tolist():
        near = batch.neighbours[index]
        exists = near >= 0
        maps = windows.windows(level, near[exists])
        total = maps.new_zeros((maps.shape[1], cells, cells))
        weights = maps.new_zeros((cells, cells))
        steps = torch.tensor(NEIGHBOURHOOD)[exists]
        for other, step, window in zip(near[exists].tolist(), steps.tolist(), maps):
            grid, place = batch.grid_of(other)
            (rows, ys, y_weight), (cols, xs, x_weight) = map(along, step, grid.margin(place))
            weight = (y_weight[:, None] * x_weight[None]).to(window)
            total[:, rows, cols] += window[:, ys, xs] * weight
            weights[rows, cols] += weight
        result.append(total / weights.masked_fill(weights == 0, 1.0))
    return torch.stack(result)


def _first_needed(batch: PatchBatch[object], chunk_size: int, first: int) -> int:
    """The first patch that is read around the wanted ones."""
    near = batch.neighbours[first // chunk_size * chunk_size :]
    return int(near[near >= 0].min()) if len(near) else batch.num_patches
