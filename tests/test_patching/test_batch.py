from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmpatch.patching import PatchBatch, PatchGrid
from mmpatch.patching.batch import resize


def test_images_of_different_sizes_share_one_list_of_patches() -> None:
    images = [torch.rand(3, 40, 70), torch.rand(3, 20, 33)]
    batch = PatchBatch(images, patch_size=32)
    assert batch.num_patches == 6 + 2  # no patch that lies in the padding of the smaller image
    assert batch.image_index.tolist() == [0] * 6 + [1] * 2
    assert batch.of_image(1).tolist() == [6, 7]
    assert batch.origins[7].tolist() == [0, 32]
    assert batch.neighbours[6].tolist() == [-1, -1, -1, -1, 6, 7, -1, -1, -1]
    everything = batch.read(torch.arange(8))
    assert torch.equal(everything[:6], PatchGrid(40, 70, 32).split(images[0]))
    assert torch.equal(everything[6:], PatchGrid(20, 33, 32).split(images[1]))


def test_padding_is_zero_after_normalisation() -> None:
    batch = PatchBatch(
        [torch.full((3, 10, 10), 200, dtype=torch.uint8)],
        patch_size=8,
        halo=4,
        to_input=lambda x: x.float() - 50,
    )
    last = batch.read(torch.tensor([3]))[0]
    inside = F.pad(torch.full((3, 10, 10), 150.0), (0, 6, 0, 6))
    assert torch.equal(last, inside)


def test_reading_leaves_the_image_alone() -> None:
    image = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)
    before = image.clone()
    PatchBatch([image], 8, to_input=lambda x: x.mul_(2)).read(torch.arange(4))
    assert torch.equal(image, before)


def test_thumbnail_is_antialiased() -> None:
    stripes = torch.zeros(3, 64, 64, dtype=torch.uint8)
    stripes[:, :, ::2] = 255
    small = resize(stripes, (8, 8))
    assert small.shape == (1, 3, 8, 8) and small.dtype == torch.uint8
    assert (small.int() - 127).abs().max() <= 16  # nearest or plain bilinear give 0 or 255
    batch = PatchBatch([stripes, stripes[:, :20]], 8)
    assert batch.read_global().shape == (2, 3, 8, 8)


def test_global_patches_keep_the_aspect_ratio() -> None:
    batch = PatchBatch([torch.full((1, 40, 20), 100.0)], 8, to_input=lambda x: x + 1)
    (found,) = batch.read_global()[0]
    assert batch.grids[0].global_size == (8, 4) and batch.grids[0].global_scale == (0.2, 0.2)
    assert (found[:, :4] == 101).all() and (found[:, 4:] == 0).all()


def test_crop_leaves_the_features_of_the_patch() -> None:
    images = [torch.rand(3, 40, 24), torch.rand(3, 16, 16)]
    with_halo, without = PatchBatch(images, 8, halo=4), PatchBatch(images, 8)
    chosen = torch.tensor([0, 7, 14, 15])
    got = with_halo.crop(chosen, (F.avg_pool2d(with_halo.read(chosen), 4),))
    assert torch.equal(got[0], F.avg_pool2d(without.read(chosen), 4))


@pytest.mark.parametrize(
    'other', [torch.zeros(3, 9, 9, dtype=torch.int32), torch.zeros(1, 9, 9, dtype=torch.uint8)]
)
def test_images_of_two_kinds_are_refused(other: torch.Tensor) -> None:
    """Values above 255 would wrap, and one channel would be repeated, without a word."""
    with pytest.raises(
        ValueError, match=r'one type and one number of channels, got 3 channel\(s\)'
    ):
        PatchBatch([torch.zeros(3, 9, 9, dtype=torch.uint8), other], 8)


def test_targets_belong_to_a_copy() -> None:
    batch: PatchBatch[None] = PatchBatch([torch.rand(3, 16, 16)], 8)
    labelled = batch.with_targets('labels')
    assert labelled.targets == 'labels' and batch.targets is None
    assert labelled.places is batch.places
