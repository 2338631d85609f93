"""One pass over a batch without gradient, with about two rows of Z in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .batch import PatchBatch
from .chunks import ChunkOrder
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
    """Mean of the windows that cover a patch, weighted by the distance to their edges.

    Args:
        windows: Features of windows with halo, also of the neighbours of the patches.
        level: Number of the feature level.
        indices: (S,) flat numbers of the patches.

    Returns:
        (S, D, h, w), without halo.
    """
    batch = windows.batch
    length = windows.levels[level].shape[-1]
    side = batch.patch_size + 2 * batch.halo
    cell = side // length
    cells = batch.patch_size // cell
    distance = torch.arange(length) + 0.5
    ramp = torch.minimum(distance, length - distance) / max(2 * batch.halo // cell, 1)
    ramp = ramp.clamp(max=1.0)
    result = []
    for index in indices.tolist():
        near = batch.neighbours[index]
        total = weights = None
        for other in near[near >= 0].tolist():
            pieces = []
            for axis in (0, 1):
                shift = int(batch.origins[index, axis] - _window_start(batch, other)[axis]) // cell
                lower, upper = max(shift, 0), min(shift + cells, length)
                pieces.append((lower, upper, lower - shift))
            (y0, y1, top), (x0, x1, left) = pieces
            if y0 >= y1 or x0 >= x1:
                continue
            values = windows.windows(level, torch.tensor([other]))[0, :, y0:y1, x0:x1]
            if total is None or weights is None:
                total = values.new_zeros((values.shape[0], cells, cells))
                weights = values.new_zeros((cells, cells))
            weight = (ramp[y0:y1, None] * ramp[None, x0:x1]).to(values)
            rows, cols = slice(top, top + y1 - y0), slice(left, left + x1 - x0)
            total[:, rows, cols] += values * weight
            weights[rows, cols] += weight
        assert total is not None  # a patch's own window covers it
        assert weights is not None
        result.append(total / weights)
    return torch.stack(result)


def _window_start(batch: PatchBatch[object], index: int) -> tuple[int, int]:
    """Top left corner of the window of a patch [px]; negative beyond the image."""
    image = int(batch.image_index[index])
    above, before = batch.grids[image].margin(int(batch.places[index]))
    y, x = batch.origins[index].tolist()
    return y - above, x - before


def _first_needed(batch: PatchBatch[object], chunk_size: int, first: int) -> int:
    """The first patch that is read around the wanted ones."""
    near = batch.neighbours[first // chunk_size * chunk_size :]
    return int(near[near >= 0].min()) if len(near) else batch.num_patches
