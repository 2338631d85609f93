from __future__ import annotations

import threading

import pytest
import torch
import torch.nn.functional as F

from mmpatch.patching import PatchBatch, PatchGrid, read_ahead
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
    expected = torch.full((8, 4), 101.0)  # but for the rounding of the average
    torch.testing.assert_close(found[:, :4], expected)
    assert (found[:, 4:] == 0).all()


@pytest.mark.parametrize('halo', [0, 4, 8])
@pytest.mark.parametrize(('height', 'width'), [(40, 24), (39, 25), (36, 20), (33, 23), (34, 17)])
def test_crop_leaves_the_features_of_the_patch(height: int, width: int, halo: int) -> None:
    images = [torch.rand(3, height, width), torch.rand(3, 16, 15), torch.rand(3, 3, 9)]
    batch = PatchBatch(images, 8, halo, stride=4)
    chosen = torch.tensor([0, 7, 14, 15, 18, 19, 20])
    got = batch.crop(chosen, (F.avg_pool2d(batch.read(chosen), 4),))[0]
    for feature, index in zip(got, chosen.tolist()):
        image = images[int(batch.image_index[index])]
        y, x = batch.origins[index].tolist()
        patch = F.pad(image, (0, 8, 0, 8))[:, y : y + 8, x : x + 8]
        torch.testing.assert_close(feature, F.avg_pool2d(patch, 4))


def test_crop_copies_only_where_it_has_to() -> None:
    batch = PatchBatch([torch.rand(3, 20, 15)], 8, stride=4)
    features = (torch.rand(2, 5, 2, 2),)
    assert batch.crop(torch.tensor([0, 3]), features) is features  # one px of padding is no cell
    (found,) = batch.crop(torch.tensor([0, 5]), features)
    assert torch.equal(found[0], features[0][0])
    assert torch.equal(found[1, :, 0], features[0][1, :, 1]) and not found[1, :, 1].any()


@pytest.mark.parametrize(('stride', 'needed'), [(4, 24), (8, 24), (2, 24)])
def test_cells_larger_than_the_stride(stride: int, needed: int) -> None:
    """Also where no window is moved: training on whole patches would hide it until prediction."""
    batch = PatchBatch([torch.rand(3, 48, 48)], 24, stride=stride)
    levels = torch.rand(1, 5, 3, 3), torch.rand(1, 5, 1, 1)
    with pytest.raises(
        ValueError, match=rf'windows of 24 px into maps of \[1, 3\] .*set stride={needed} in'
    ):
        batch.crop(torch.tensor([0]), levels)


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


class InFile:
    """An image that stays in its file; notes which threads read it."""

    nbytes = 0

    def __init__(self, pixels: torch.Tensor, broken_below: int | None = None) -> None:
        self.pixels, self.broken_below = pixels, broken_below
        self.shape = pixels.shape
        self.readers: list[str] = []

    def __getitem__(self, key: tuple[slice, slice, slice]) -> torch.Tensor:
        self.readers.append(threading.current_thread().name.split('_')[0])
        if self.broken_below is not None and key[1].stop > self.broken_below:
            raise ValueError('truncated')
        return self.pixels[key]


def test_windows_of_files_are_read_ahead() -> None:
    pixels = torch.randint(0, 256, (3, 70, 100), dtype=torch.uint8)
    image, expected = InFile(pixels), PatchBatch([pixels], 32)
    batch = PatchBatch([image], 32)
    chunks = batch.all_patches.split(2)
    batch.expect(chunks)
    image.readers.clear()
    for chunk in (*chunks, chunks[1], *chunks):  # in any order, and again
        assert torch.equal(batch.read(chunk), expected.read(chunk))
    windows = [name for name in image.readers if name == 'mmpatch-reader']
    assert len(windows) >= 2 * (2 * len(chunks) - 2)


def test_a_window_that_cannot_be_read_ahead_fails_when_it_is_needed() -> None:
    batch = PatchBatch([InFile(torch.zeros(3, 70, 100), broken_below=32)], 32)
    chunks = batch.all_patches.split(4)
    batch.expect(chunks)
    assert batch.read(chunks[0]).shape == (4, 3, 32, 32)
    with pytest.raises(ValueError, match='truncated'):
        batch.read(chunks[1])


def test_what_is_in_memory_is_read_by_the_thread_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, '_reader', lambda _: pytest.fail('a thread was used'))
    batch = PatchBatch([torch.rand(3, 70, 100)], 32)
    batch.expect(batch.all_patches.split(2))
    assert batch.read(torch.arange(2)).shape == (2, 3, 32, 32)
