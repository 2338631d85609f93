"""The latent Z: what is remembered of every patch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .batch import PatchBatch
from .store import Features, PatchStore, Storage, window_cells


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
            chunks = batch.all_patches.split(chunk_size)
            batch.expect(chunks)
            for patches in chunks:
                latent.write(patches, encode(batch, patches))
        return latent

    @classmethod
    def of_live(cls, batch: PatchBatch[object], features: Features) -> Latent:
        """A latent that holds features (A, D_l, h_l, w_l) of all patches with their graph."""
        latent = cls(batch)
        latent.values = PatchStore.of_live(features)
        latent._known[:] = True
        return latent

    @property
    def levels(self) -> Sequence[Tensor]:
        """One tensor (patches, D_l, h_l, w_l) a level, whatever patches are remembered."""
        if self.values is None:
            raise RuntimeError('nothing has been written to this latent yet')
        return self.values.levels

    @property
    def nbytes(self) -> int:
        """Memory of what is remembered and collected [bytes]."""
        return sum(s.nbytes for s in (self.values, self.gradients) if s is not None)

    def write(self, indices: Tensor, features: Features) -> None:
        """Remember features (K, D_l, h_l, w_l), detached, and forget gradients in their place."""
        if self.values is None:
            self.values = PatchStore.empty(self._slots, features, self.storage)
        self.values.set(self.values.places(indices), features)
        self._known[indices] = True
        if self._collected is not None and self.gradients is None:
            self._make_room_for_gradient(features)
        if self.gradients is not None:
            self.gradients.clear(self.gradients.places(indices))

    def stored(self, indices: Tensor) -> list[Tensor]:
        """Copies of what is remembered of patches (K,), as it is stored; (K, h_l, w_l, D_l) a level."""
        if self.values is None:
            raise RuntimeError('nothing has been written to this latent yet')
        places = self.values.places(indices)
        return [maps.index_select(0, places) for maps in self.values.maps]

    def restore(self, indices: Tensor, stored: Sequence[Tensor]) -> None:
        """Remember what :meth:`stored` gave of patches (K,), in this latent or in one like it."""
        if self.values is None:
            raise RuntimeError('nothing has been written to this latent yet')
        places = self.values.places(indices)
        for maps, level in zip(self.values.maps, stored):
            maps.index_copy_(0, places, level.to(maps.device))
        self._known[indices] = True

    def collect_gradient(self, indices: Tensor | None = None) -> None:
        """Collect the gradient with respect to the features of some patches from now on.

        Windows then are tensors whose backward pass adds what arrives to ``gradients``.

        Args:
            indices: (K,) flat numbers of the patches; None: all that are remembered.
        """
        self.gradients = None
        self._collected = self._slots
        if indices is not None:
            self._collected = torch.full_like(self._slots, -1)
            self._collected[indices] = torch.arange(len(indices))
        if self.values is not None:
            one = self.values.places(torch.zeros(1, dtype=torch.long))
            levels = range(len(self.values.maps))
            self._make_room_for_gradient(tuple(self.values.get(level, one) for level in levels))

    def forget_gradient(self) -> None:
        """Stop collecting, and free what was collected."""
        self.gradients = self._collected = None

    def _make_room_for_gradient(self, like: Features) -> None:
        assert self._collected is not None
        self.gradients = PatchStore.empty(self._collected, like, self.storage)

    def gradient(self, indices: Tensor) -> Features:
        """What was collected for patches (K,), as (K, D_l, h_l, w_l) a level."""
        if self.gradients is None:
            raise RuntimeError('collect_gradient() was not called')
        slots = self.gradients.places(indices)
        return tuple(self.gradients.get(i, slots) for i in range(len(self.gradients.maps)))

    def around(self, indices: Tensor) -> Around:
        """Patches (S,) with their neighbours, to read windows of several levels."""
        return Around(self, indices)

    def windows(self, level: int, indices: Tensor, radius: int = 0) -> Tensor:
        """Feature maps of patches with a margin; see :meth:`Around.windows`."""
        return self.around(indices).windows(level, radius)


class Around:
    """Patches of a latent together with their neighbours, as they are known now.

    Args:
        latent: The latent.
        indices: (S,) flat numbers.

    Attributes:
        known: (S, 9) bool, on the host: which of the 3 x 3 patches around each are known.
    """

    def __init__(self, latent: Latent, indices: Tensor) -> None:
        if latent.values is None:
            raise RuntimeError('nothing has been written to this latent yet')
        self.values, self.gradients = latent.values, latent.gradients
        near = latent.batch.neighbours[indices]
        near = near.masked_fill(~latent._known[near.clamp(min=0)], -1)
        self.known = near >= 0
        self._near = self.values.places(near)
        self._collected = None if self.gradients is None else self.gradients.places(near)

    def windows(self, level: int, radius: int = 0) -> Tensor:
        """Feature maps of the patches together with a margin of their neighbours' cells.

        Args:
            level: Number of the feature level.
            radius: Margin r [cells], at most the h and w of the level.

        Returns:
            (S, D, h + 2r, w + 2r), zeros where there is no patch or none was written. Its gradient
            flows on or is collected.

        Raises:
            ValueError: If the margin is larger than a patch.
        """
        h, w = self.values.maps[level].shape[1:3]
        if radius > min(h, w):
            raise ValueError(
                f'level {level} has {h} x {w} cells a patch, but {radius} cells of the neighbour '
                'are needed: use larger patches or fewer (finer) feature levels'
            )
        if self.gradients is None:
            return self.values.gather(level, self._near, radius)
        anchor = torch.zeros((), requires_grad=True)  # without it no backward pass would come here
        collected: Tensor = _CollectedWindows.apply(anchor, self, level, radius)
        return collected

    def inside(self, level: int, radius: int) -> Tensor:
        """Which cells of :meth:`windows` belong to a known patch; (S, 1, h + 2r, w + 2r) bool."""
        blank, h, w = (
            length - (i == 0) for i, length in enumerate(self.values.maps[level].shape[:3])
        )
        patch, _ = window_cells(h, w, radius, self._near.device)
        known = (self._near != blank).index_select(1, patch)
        return known.view(len(known), 1, h + 2 * radius, w + 2 * radius)


class _CollectedWindows(torch.autograd.Function):
    """Windows of a latent; the backward pass adds their gradient to what the latent collects."""

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, around: Around, level: int, radius: int) -> Tensor:
        ctx.place = around, level, radius
        return around.values.gather(level, around._near, radius)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, ...]:
        around, level, radius = ctx.place
        assert around.gradients is not None
        around.gradients.scatter(level, around._collected, radius, grads[0])
        return None, None, None, None
