"""The latent Z: what is remembered of every patch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from .batch import PatchBatch
from .grid import NEIGHBOURHOOD
from .store import ALL, Features, PatchStore, Storage


class Latent:
    """Features of patches of a batch, patch by patch, with their neighbourhood.

    Storing Z by patch and not as one stitched map lets theta2 read any selection of places with
    the margin that it needs, so neither its memory nor the backward pass through ``windows``
    grows with the image. A patch that was never written reads as one that does not exist.

    Args:
        batch: Where the patches lie.
        capacity: Patches that are remembered at a time; writing one takes the place of the one
            ``capacity`` before it. None: all A.
        storage: Where and how precisely they are remembered.

    Attributes:
        values: What is remembered; None before the first write.
        gradients: The gradient that :meth:`collect_gradient` asks for; None without it.
    """

    def __init__(
        self,
        batch: PatchBatch[object],
        capacity: int | None = None,
        storage: Storage | None = None,
    ) -> None:
        self.batch = batch
        self.storage = storage or Storage()
        self.values: PatchStore | None = None
        self.gradients: PatchStore | None = None
        self._slots = torch.arange(batch.num_patches) % (capacity or batch.num_patches)
        self._collected: Tensor | None = None
        self._known = torch.zeros(batch.num_patches, dtype=torch.bool)
        self._live: Features | None = None
        self._anchor = torch.zeros((), requires_grad=True)

    @classmethod
    def fill(
        cls,
        batch: PatchBatch[object],
        encode: Callable[[PatchBatch[object], Tensor], Features],
        chunk_size: int,
        storage: Storage | None = None,
    ) -> Latent:
        """Encode all patches without gradient, ``chunk_size`` at a time.

        Args:
            batch: The patches.
            encode: theta1 on the patches with K flat numbers, (K, D_l, h_l, w_l) a level.
            chunk_size: Patches encoded at once; changes speed and memory, never the result.
            storage: Where Z is kept.

        Returns:
            The filled latent.
        """
        latent = cls(batch, storage=storage)
        with torch.no_grad():
            for patches in batch.all_patches.split(chunk_size):
                latent.write(patches, encode(batch, patches))
        return latent

    @classmethod
    def of_live(cls, batch: PatchBatch[object], features: Features) -> Latent:
        """A latent that holds features (A, D_l, h_l, w_l) of all patches with their graph."""
        latent = cls(batch)
        latent._live = features
        latent._known[:] = True
        return latent

    @property
    def levels(self) -> Sequence[Tensor]:
        """One tensor (patches, D_l, h_l, w_l) a level, whatever patches are remembered."""
        if self.values is not None:
            return self.values.levels
        if self._live is None:
            raise RuntimeError('nothing has been written to this latent yet')
        return self._live

    @property
    def nbytes(self) -> int:
        """Memory of what is remembered and collected [bytes]."""
        return sum(s.nbytes for s in (self.values, self.gradients) if s is not None)

    def write(self, indices: Tensor, features: Features) -> None:
        """Remember features (K, D_l, h_l, w_l), detached, and forget gradients in their place."""
        if self.values is None:
            self.values = PatchStore(self._slots, features, self.storage)
        self.values.set(indices, features)
        self._known[indices] = True
        if self._collected is not None and self.gradients is None:
            self._make_room_for_gradient(features)
        if self.gradients is not None:
            known = indices[self.gradients.has(indices)]
            self.gradients.set(known, 0.0)

    def collect_gradient(self, indices: Tensor | None = None) -> None:
        """Collect the gradient with respect to the features of some patches from now on.

        ``windows`` then gives tensors whose backward pass adds what arrives to ``gradients``.

        Args:
            indices: (K,) flat numbers of the patches; None: all that are remembered.
        """
        self.gradients = None
        self._collected = self._slots
        if indices is not None:
            self._collected = torch.full_like(self._slots, -1)
            self._collected[indices] = torch.arange(len(indices))
        if self.values is not None:
            one = torch.zeros(1, dtype=torch.long)
            levels = range(len(self.values.levels))
            self._make_room_for_gradient(tuple(self.values.get(level, one) for level in levels))

    def forget_gradient(self) -> None:
        """Stop collecting, and free what was collected."""
        self.gradients = self._collected = None

    def _make_room_for_gradient(self, like: Features) -> None:
        assert self._collected is not None
        self.gradients = PatchStore(self._collected, like, self.storage)

    def gradient(self, indices: Tensor) -> Features:
        """What was collected for patches (K,), as (K, D_l, h_l, w_l) a level."""
        if self.gradients is None:
            raise RuntimeError('collect_gradient() was not called')
        return tuple(self.gradients.get(i, indices) for i in range(len(self.gradients.levels)))

    def windows(self, level: int, indices: Tensor, radius: int = 0) -> Tensor:
        """Feature maps of patches together with a margin of their neighbours' cells.

        Args:
            level: Number of the feature level.
            indices: (S,) flat numbers.
            radius: Margin r [cells], at most the h and w of the level.

        Returns:
            (S, D, h + 2r, w + 2r), zeros where there is no patch or none was written. Its gradient flows on or is
            collected.
        """
        h, w = self.levels[level].shape[-2:]
        if radius > min(h, w):
            raise ValueError(
                f'level {level} has {h} x {w} cells a patch, but {radius} cells of the neighbour '
                'are needed: use larger patches or fewer (finer) feature levels'
            )
        if self.gradients is not None:
            collected: Tensor = _CollectedWindows.apply(self._anchor, self, level, indices, radius)
            return collected
        return self._gather(level, indices, radius)

    def inside(self, level: int, indices: Tensor, radius: int) -> Tensor:
        """Which cells of :meth:`windows` belong to a patch; (S, 1, h + 2r, w + 2r) bool."""
        h, w = self.levels[level].shape[-2:]
        near = (self._near(indices) >= 0).reshape(-1, 1, 3, 3)
        rows, cols = (torch.tensor([radius, cells, radius]) for cells in (h, w))
        return near.repeat_interleave(rows, dim=2).repeat_interleave(cols, dim=3)

    def _near(self, indices: Tensor) -> Tensor:
        """Flat numbers of the neighbours of patches (S,), -1 where nothing is known; (S, 9)."""
        near = self.batch.neighbours[indices]
        return near.where((near >= 0) & self._known[near], torch.tensor(-1))

    def _gather(self, level: int, indices: Tensor, radius: int) -> Tensor:
        pieces = [
            self._piece(level, patches, rows, cols)
            for patches, rows, cols, _ in self._margins(level, indices, radius)
        ]
        if len(pieces) == 1:
            return pieces[0]
        return torch.cat([torch.cat(pieces[i : i + 3], dim=3) for i in (0, 3, 6)], dim=2)

    def _scatter(self, level: int, indices: Tensor, radius: int, grad: Tensor) -> None:
        """Add the gradient of windows to what is collected; the adjoint of :meth:`_gather`."""
        assert self.gradients is not None
        for patches, rows, cols, (top, left) in self._margins(level, indices, radius):
            known = self.gradients.has(patches)
            if not bool(known.any()):
                continue
            maps = self.gradients.levels[level][:, :, rows, cols]
            piece = grad[:, :, top : top + maps.shape[2], left : left + maps.shape[3]]
            chosen = piece if bool(known.all()) else piece[known.to(piece.device)]
            self.gradients.add(level, patches[known], rows, cols, chosen)

    def _margins(
        self, level: int, indices: Tensor, radius: int
    ) -> Iterator[tuple[Tensor, slice, slice, tuple[int, int]]]:
        """The pieces of a window: whose cells, which of them, and where they lie in the window."""
        if radius == 0:
            yield indices, ALL, ALL, (0, 0)
            return
        h, w = self.levels[level].shape[-2:]
        near = self._near(indices)
        for i, (dy, dx) in enumerate(NEIGHBOURHOOD):
            corner = (_start(dy, radius, h), _start(dx, radius, w))
            yield near[:, i], _facing(dy, radius, h), _facing(dx, radius, w), corner

    def _piece(self, level: int, indices: Tensor, rows: slice, cols: slice) -> Tensor:
        """One part (S, D, ., .) of the maps of patches; zeros for patch -1."""
        if self._live is not None:
            maps = self._live[level]
            piece = maps[:, :, rows, cols][indices.clamp(min=0).to(maps.device)]
        else:
            assert self.values is not None
            piece = self.values.get(level, indices, rows, cols)
        missing = indices < 0
        if not bool(missing.any()):
            return piece
        return piece.masked_fill(missing.to(piece.device).reshape(-1, 1, 1, 1), 0)


class _CollectedWindows(torch.autograd.Function):
    """Windows of a latent; the backward pass adds their gradient to what the latent collects."""

    @staticmethod
    def forward(
        ctx: Any, anchor: Tensor, latent: Latent, level: int, indices: Tensor, radius: int
    ) -> Tensor:
        ctx.place = latent, level, indices, radius
        return latent._gather(level, indices, radius)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, ...]:
        latent, level, indices, radius = ctx.place
        latent._scatter(level, indices, radius, grads[0])
        return None, None, None, None, None


def _facing(offset: int, radius: int, cells: int) -> slice:
    """The cells of a neighbour at ``offset`` (-1, 0, 1) that border on the patch in the middle."""
    if offset == 0:
        return slice(None)
    return slice(cells - radius, cells) if offset < 0 else slice(0, radius)


def _start(offset: int, radius: int, cells: int) -> int:
    """Where the cells of that neighbour start in the window."""
    return (0, radius, radius + cells)[offset + 1]
