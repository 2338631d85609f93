from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmpatch.patching import Latent, PatchBatch, Storage, store
from mmpatch.patching.global_windows import global_windows

P = 16


def batch_of(*sizes: tuple[int, int]) -> PatchBatch:
    generator = torch.Generator().manual_seed(0)
    return PatchBatch([torch.rand(3, *size, generator=generator) for size in sizes], P)


def encode(batch: PatchBatch, indices: Tensor) -> tuple[Tensor, ...]:
    patches = batch.read(indices)
    return F.avg_pool2d(patches, 4) * 2, F.avg_pool2d(patches, 8) + 1


@pytest.mark.parametrize('chunk', [1, 3, 100])
def test_fill_does_not_depend_on_the_chunk(chunk: int) -> None:
    batch = batch_of((50, 40), (16, 20))
    latent = Latent.fill(batch, encode, chunk)
    whole = encode(batch, torch.arange(batch.num_patches))
    for level, expected in zip(latent.levels, whole):
        assert torch.equal(level, expected)


@pytest.mark.parametrize('radius', [0, 1, 2])
def test_windows_are_cut_out_of_the_stitched_map(radius: int) -> None:
    batch = batch_of((50, 40), (16, 20))
    latent = Latent.fill(batch, encode, 4)
    chosen = torch.tensor([13, 0, 5, 7])
    for level, maps in enumerate(latent.levels):
        h, w = maps.shape[-2:]
        got = latent.windows(level, chosen, radius)
        inside = latent.around(chosen).inside(level, radius)
        for window, mask, index in zip(got, inside, chosen.tolist()):
            image = int(batch.image_index[index])
            stitched = batch.grids[image].merge(maps[batch.of_image(image)], crop=False)
            padded = F.pad(stitched, [radius] * 4)
            ones = F.pad(torch.ones_like(stitched[:1]), [radius] * 4)
            y, x = (batch.origins[index] * h // P).tolist()
            rows, cols = slice(y, y + h + 2 * radius), slice(x, x + w + 2 * radius)
            assert torch.equal(window, padded[:, rows, cols])
            assert torch.equal(mask, ones[:, rows, cols].bool())


def test_write_remembers_without_gradient() -> None:
    batch = batch_of((32, 32))
    latent = Latent.fill(batch, encode, 4)
    new = tuple((torch.rand_like(level[:1]) + 5).requires_grad_() for level in latent.levels)
    latent.write(torch.tensor([2]), new)
    assert torch.equal(latent.levels[0][2], new[0][0]) and not latent.levels[0].requires_grad


def test_too_large_a_radius() -> None:
    latent = Latent.fill(batch_of((32, 32)), encode, 4)
    with pytest.raises(ValueError, match='2 x 2 cells a patch, but 3 cells of the neighbour'):
        latent.windows(1, torch.tensor([0]), 3)


def test_global_windows_equal_resizing_the_global_map() -> None:
    batch = batch_of((64, 32), (64, 64))
    feature = torch.rand(2, 5, 4, 4)
    chosen = torch.tensor([9, 3, 0])  # image 1, 0, 0
    got = global_windows(feature, batch, chosen, (4, 4), radius=0)
    for window, index in zip(got, chosen.tolist()):
        image = int(batch.image_index[index])
        grid = batch.grids[image]
        size = (max(grid.height, grid.width) // 4,) * 2  # a square that the image lies in
        resized = F.interpolate(feature[image : image + 1], size, mode='bilinear')[0]
        y, x = (batch.origins[index] // 4).tolist()
        assert torch.allclose(window, resized[:, y : y + 4, x : x + 4], atol=1e-6)


@pytest.mark.parametrize('radius', [0, 1, 2])
@pytest.mark.parametrize('collected', [None, [1, 5, 6]])
def test_collected_gradients_are_those_of_autograd(
    radius: int, collected: list[int] | None
) -> None:
    batch = batch_of((50, 40), (16, 20))
    features = tuple(f.requires_grad_() for f in encode(batch, torch.arange(14)))
    plain, collecting = Latent.of_live(batch, features), Latent(batch)
    collecting.write(torch.arange(14), features)
    which = None if collected is None else torch.tensor(collected)
    collecting.collect_gradient(which)
    for latent in (plain, collecting):
        for part in (torch.tensor([5, 0]), torch.tensor([13, 1, 7])):
            for level in (0, 1):
                windows = latent.windows(level, part, radius)
                (
                    windows * torch.linspace(0, 1, windows.numel()).reshape(windows.shape)
                ).sum().backward()
    asked = torch.arange(14) if which is None else which
    for got, feature in zip(collecting.gradient(asked), features):
        torch.testing.assert_close(got, feature.grad[asked])


def test_a_ring_forgets_what_it_overwrites() -> None:
    batch = batch_of((16, 16 * 6))
    latent = Latent(batch, capacity=3)
    for patch in range(4):
        latent.write(torch.tensor([patch]), (torch.full((1, 1, 4, 4), float(patch + 1)),))
        if patch == 0:
            latent.collect_gradient()
            latent.windows(0, torch.tensor([0])).sum().backward()
            assert latent.gradient(torch.tensor([0]))[0].sum() == 16
    assert latent.windows(0, torch.tensor([3]), 1)[0, 0, 1, 0] == 3
    assert latent.levels[0].shape[0] == 3
    assert latent.gradient(torch.tensor([3]))[0].sum() == 0


@pytest.mark.parametrize('dtype', ['bfloat16', torch.float16])
def test_storage_in_half_precision(dtype: torch.dtype | str) -> None:
    batch = batch_of((48, 48))
    latent = Latent.fill(batch, encode, 4, Storage(device='cpu', dtype=dtype))
    exact = Latent.fill(batch, encode, 4)
    assert latent.levels[0].element_size() == 2
    got = latent.windows(0, torch.tensor([4]), 2)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, exact.windows(0, torch.tensor([4]), 2), rtol=2**-8, atol=0)


@pytest.mark.parametrize('dtype', ['int8', 'half precision', torch.int64])
def test_bad_storage(dtype: torch.dtype | str) -> None:
    with pytest.raises(ValueError, match='dtype must be a floating point type'):
        Storage(dtype=dtype)


def test_features_that_do_not_fit_into_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, 'available_memory', lambda: 100)
    with pytest.raises(ValueError, match=r'features of 9 patches take .*only 0.0 GiB left'):
        Latent.fill(batch_of((48, 48)), encode, 4)


def test_a_gradient_that_nobody_asked_for() -> None:
    latent = Latent(batch_of((16, 16)))
    with pytest.raises(RuntimeError, match=r'collect_gradient\(\) was not called'):
        latent.gradient(torch.tensor([0]))
