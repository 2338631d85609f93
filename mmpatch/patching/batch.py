"""The images of a batch as one flat list of patches."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Generic, Protocol, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from .grid import PatchGrid
from .read_ahead import ReadAhead, Windows
from .store import Features


class Pixels(Protocol):
    """An image (C, H, W): a tensor, or what is sliced like one and stays in its file."""

    @property
    def shape(self) -> torch.Size:
        """(C, H, W)."""

    @property
    def nbytes(self) -> int:
        """Memory that it takes [bytes]; 0 for a file."""

    def __getitem__(self, key: tuple[slice, slice, slice], /) -> Tensor:
        """A window."""


#: Takes raw pixels (K, C, height, width) of the host to what theta1 reads: moved and normalised.
ToInput = Callable[[Tensor], Tensor]


HOST = torch.device('cpu')

#: Labels of a batch as the loss needs them; each model has its own type. Code that only reads the
#: geometry takes a ``PatchBatch[object]``, which is any batch.
Targets = TypeVar('Targets', covariant=True)
NewTargets = TypeVar('NewTargets')


class PatchBatch(Generic[Targets]):
    """B images, each with its own grid, as one flat list of A patches.

    The images stay where and as they are (uint8 on the host, or in a file). Only the windows asked
    for are read, moved and normalised. Each image has its own grid, so no patch lies entirely in
    the padding of a batch.

    Args:
        images: B tensors (C, H_b, W_b), any size each, or what has a shape and can be sliced as
            one.
        patch_size: Side P of a patch [px].
        halo: Context read around every patch [px].
        to_input: Moves and normalises raw windows; identity by default.
        keep: (N_b,) bool for each image, which patches of its grid exist; None: all. Others are
            neither read nor scored, as if they were no part of the image.
        stride: Largest stride of theta1 [px], by whose multiples windows are moved into the image.
        device: Where theta1 runs.

    Raises:
        ValueError: If the images differ in type or in number of channels.

    Attributes:
        targets: Labels as the model's loss needs them; see :meth:`with_targets`.
        places: Number of every patch in the grid of its image; (A,) int64.
        image_index: Image of every patch; (A,) int64.
        origins: Top left corner (y, x) of every patch in its image [px]; (A, 2) int64.
        neighbours: Flat numbers of the 3 x 3 neighbours, -1 where there is none; (A, 9) int64.
    """

    def __init__(
        self,
        images: Sequence[Pixels],
        patch_size: int,
        halo: int = 0,
        to_input: ToInput = lambda windows: windows,
        keep: Sequence[Tensor] | None = None,
        stride: int = 1,
        device: torch.device = HOST,
    ) -> None:
        _check_alike(images)
        self.images = images
        self.patch_size = patch_size
        self.halo = halo
        self.stride = stride
        self.to_input = to_input
        self.targets: Targets = cast('Targets', None)
        # Slicing what is in memory already takes no time that a thread would save.
        in_files = any(image.nbytes == 0 for image in images)
        self._ahead = ReadAhead(self._windows, device) if in_files or device != HOST else None
        self.grids = tuple(
            PatchGrid(image.shape[-2], image.shape[-1], patch_size, halo, stride)
            for image in images
        )
        kept = [
            torch.arange(grid.num_patches) if keep is None else keep[image].nonzero()[:, 0]
            for image, grid in enumerate(self.grids)
        ]
        sizes = [len(places) for places in kept]
        #: Flat number of the first patch of every image, and A at the end.
        self.starts = [0, *torch.tensor(sizes).cumsum(0).tolist()]
        self.image_index = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
        self.places = torch.cat(kept)
        self.origins = torch.cat([grid.origins()[p] for grid, p in zip(self.grids, kept)])
        self.neighbours = torch.cat(
            [_renumbered(g.neighbours(), p, s) for g, p, s in zip(self.grids, kept, self.starts)]
        )

    def with_targets(self, targets: NewTargets) -> PatchBatch[NewTargets]:
        """The same patches with labels, as the loss needs them."""
        labelled = cast('PatchBatch[NewTargets]', copy.copy(self))
        labelled.targets = targets
        return labelled

    @property
    def num_images(self) -> int:
        """Number B of images."""
        return len(self.grids)

    @property
    def num_patches(self) -> int:
        """Number A of patches in the whole batch."""
        return int(self.starts[-1])

    @property
    def all_patches(self) -> Tensor:
        """Flat numbers of all patches; (A,) int64."""
        return torch.arange(self.num_patches)

    def images_of(self, patches: Tensor) -> Tensor:
        """Numbers of the images that some patches (S,) belong to, ascending; int64."""
        return self.image_index[patches].unique()

    def of_image(self, image: int) -> Tensor:
        """Flat numbers of the patches of one image; (N,) int64."""
        return torch.arange(self.starts[image], self.starts[image + 1])

    def places_of(self, image: int) -> Tensor:
        """Row and column of the patches of one image in its grid; (N, 2) int64."""
        cols = self.grids[image].cols
        places = self.places[self.starts[image] : self.starts[image + 1]]
        return torch.stack((places // cols, places % cols), dim=1)

    @property
    def window_size(self) -> int:
        """Side Q = P + 2 halo of a window [px]."""
        return self.patch_size + 2 * self.halo

    def grid_of(self, index: int) -> tuple[PatchGrid, int]:
        """The grid that a patch belongs to, and its number there."""
        return self.grids[int(self.image_index[index])], int(self.places[index])

    def expect(self, chunks: Sequence[Tensor]) -> None:
        """Name chunks of patches that will be read in this order, so that pixels are read ahead."""
        if self._ahead is not None:
            self._ahead.expect(chunks)

    def read(self, indices: Tensor) -> Tensor:
        """Read the windows of patches, ready for theta1.

        Args:
            indices: (K,) flat numbers.

        Returns:
            (K, C, Q, Q) moved and normalised, zero outside the image.
        """
        ahead = self._ahead
        windows = self._windows(indices) if ahead is None else ahead.take(indices)
        inputs = self.to_input(windows.pixels)
        for patch, (height, width) in zip(inputs, windows.sizes):
            patch[:, height:] = 0
            patch[:, :, width:] = 0
        return inputs

    def _windows(self, indices: Tensor) -> Windows:
        """The raw windows of patches (K,), on the host."""
        side = self.window_size
        first = as_computable(self.images[0][:, :1, :1])
        windows = first.new_zeros((len(indices), first.shape[0], side, side))
        sizes = []
        for window, index in zip(windows, indices.tolist()):
            grid, place = self.grid_of(index)
            rows, cols = grid.window(place)
            height, width = rows.stop - rows.start, cols.stop - cols.start
            image = self.images[int(self.image_index[index])]
            window[:, :height, :width] = image[:, rows, cols]
            sizes.append((height, width))
        return Windows(windows, sizes)

    def crop(self, indices: Tensor, features: Features) -> Features:
        """Cut features of windows to the cells of their patches; zeros beyond the image.

        Args:
            indices: (K,) flat numbers of the patches.
            features: Of their windows, (K, D_l, ., .) a level.

        Returns:
            Of the patches alone, (K, D_l, h_l, w_l) a level.

        Raises:
            ValueError: If a window could be moved by less than a cell.
        """
        self._check_cells(features)
        places = [self.grid_of(index) for index in indices.tolist()]
        if self.halo == 0 and not any(any(grid.margin(place)) for grid, place in places):
            return features  # each window is its patch
        return tuple(
            torch.stack([grid.crop(place, f) for (grid, place), f in zip(places, feature)])
            for feature in features
        )

    def _check_cells(self, features: Features) -> None:
        """Check that windows are moved by whole cells, before an image comes that shows it."""
        side, lengths = self.window_size, [feature.shape[-1] for feature in features]
        if any(self.stride * length % side for length in lengths):
            needed = math.lcm(*(side // math.gcd(side, length) for length in lengths))
            raise ValueError(
                f'theta1 turns windows of {side} px into maps of {sorted(set(lengths))} cells a '
                f'side, but windows are moved by multiples of stride={self.stride} px, which are '
                f'no whole cells: set stride={needed} in the model, with patch_size and halo '
                'multiples of it'
            )

    @cached_property
    def thumbnails(self) -> Tensor:
        """The global patches, raw: every image resized to fit into P x P; (B, C, P, P).

        The aspect ratio is kept; what is left below or to the right of an image is zero.
        """
        side = self.patch_size
        small = [resize(image, grid.global_size) for image, grid in zip(self.images, self.grids)]
        pads = [(0, side - x.shape[3], 0, side - x.shape[2]) for x in small]
        return torch.cat([F.pad(x, pad) for x, pad in zip(small, pads)])

    def read_global(self) -> Tensor:
        """The global patches, ready for theta1; (B, C, P, P), zero beyond the images."""
        inputs = self.to_input(self.thumbnails)
        for patch, grid in zip(inputs, self.grids):
            height, width = grid.global_size
            patch[:, height:] = 0
            patch[:, :, width:] = 0
        return inputs


def _check_alike(images: Sequence[Pixels]) -> None:
    """Windows of a chunk share one tensor: values of another type would wrap in it unnoticed."""
    kinds = [(image.shape[0], as_computable(image[:, :1, :1]).dtype) for image in images]
    if len(set(kinds)) > 1:
        found = ', '.join(f'{channels} channel(s) of {dtype}' for channels, dtype in kinds)
        raise ValueError(
            f'the images of a batch must have one type and one number of channels, got {found}. '
            'Convert the odd ones, or use a batch size of 1'
        )


def _renumbered(neighbours: Tensor, places: Tensor, start: int) -> Tensor:
    """Neighbours (N, 9) of a grid's patches as flat numbers (A_b, 9) of those that exist."""
    flat = torch.full((len(neighbours) + 1,), -1)  # the last entry is that of neighbour -1
    flat[places] = torch.arange(len(places)) + start
    return flat[neighbours[places]]


def resize(image: Pixels, size: tuple[int, int], pixels: int = 2**23) -> Tensor:
    """Resize one image (C, H, W) to (1, C, height, width), bilinear with antialiasing.

    Rows are read and narrowed some at a time, of at most ``pixels`` together, so that neither a
    copy of the image in float nor the image itself has to be in memory. uint8 stays uint8; other
    integers become float32.
    """
    height, width = image.shape[1:]
    band = max(1, pixels // width)
    bands = (as_computable(image[:, y : y + band, :]) for y in range(0, height, band))
    narrow = torch.cat([_interpolate(x, x.shape[1], size[1]) for x in bands], dim=2)
    return _interpolate(narrow[0], *size)


def _interpolate(image: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(
        image[None], size=(height, width), mode='bilinear', antialias=True, align_corners=False
    )


def as_computable(pixels: Tensor) -> Tensor:
    """Pixels in a type that torch computes with: integers of more than 8 bits as float32."""
    return pixels if pixels.dtype == torch.uint8 or pixels.is_floating_point() else pixels.float()
