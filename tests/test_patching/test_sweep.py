"""Every wanted patch comes once, with its surroundings; overlapping windows are blended."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmpatch.patching import Latent, PatchBatch
from mmpatch.patching.store import Features
from mmpatch.patching.sweep import blend, blended_sweep, sweep


def batch_of(*sizes: tuple[int, int], halo: int = 0) -> PatchBatch:
    """Images of 4 px cells that hold their own number of row and column."""
    images = []
    for height, width in sizes:
        ys, xs = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
        images.append(torch.stack((ys, xs)).float())
    return PatchBatch(images, 8, halo)


@pytest.mark.parametrize('first', [0, 5, 8, 15])
@pytest.mark.parametrize('chunk', [1, 3, 100])
@pytest.mark.parametrize('blended', [False, True])
@pytest.mark.parametrize('size', [(32, 32), (25, 30)])
def test_wanted_patches_come_once(
    size: tuple[int, int], first: int, chunk: int, blended: bool
) -> None:
    batch = batch_of(size, halo=8)
    encoded: list[int] = []

    def encode(indices: Tensor) -> Features:
        encoded.extend(indices.tolist())
        windows = batch.read(indices)
        return (windows,) if blended else batch.crop(indices, (windows,))

    steps = (
        blended_sweep(batch, encode, chunk, first)
        if blended
        else sweep(batch, encode, chunk, first)
    )
    whole = Latent.of_live(batch, batch.crop(torch.arange(16), (batch.read(torch.arange(16)),)))
    seen: list[int] = []
    for latent, part in steps:
        seen += part.tolist()
        found, expected = latent.windows(0, part, 2), whole.windows(0, part, 2)
        torch.testing.assert_close(
            found, expected
        )  # all windows agree, so blending changes nothing
    assert seen == sorted(seen) and set(range(first, 16)) <= set(seen)
    assert len(encoded) == len(set(encoded))
    if chunk == 1 and first == 15:
        assert min(encoded) == (5 if blended else 10)


def test_nothing_is_wanted() -> None:
    batch = batch_of((32, 32))
    assert not list(sweep(batch, lambda _: (), 2, 16))


@pytest.mark.parametrize('width', [32, 31, 29, 25])
def test_weights_of_blending(width: int) -> None:
    """Windows of 16 cells with a constant each: the mean moves evenly from one to the next."""
    batch = batch_of((8, width), halo=4)
    latent = Latent(batch)
    values = torch.arange(4.0).reshape(4, 1, 1, 1).expand(4, 1, 16, 16)
    latent.write(torch.arange(4), (values,))
    found = torch.cat([blend(latent, 0, torch.tensor([i]))[0, 0, 3] for i in range(4)])
    steps = found[:width].diff()
    assert bool((steps >= 0).all()) and float(steps.max()) <= 0.125
    assert float(found[0]) == 0 and bool((found[width:] == 0).all())
    middles = (torch.arange(width) - 3.5) / 8  # of patches, where their own window counts alone
    torch.testing.assert_close(found[:width], middles.clamp(0, 3))
