"""Memory for feature maps of patches, on any device and in any precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmpatch.utils.memory import available_memory

#: Feature maps of some patches, one tensor (patches, D_l, h_l, w_l) a level.
Features = tuple[Tensor, ...]

ALL = slice(None)


@dataclass(frozen=True)
class Storage:
    """Where features are kept, and how precisely.

    Args:
        device: A device such as ``'cpu'``; None: where theta1 runs.
        dtype: A floating point type such as ``torch.bfloat16`` or its name; None: that of the
            features.

    Raises:
        ValueError: If the type is no floating point type of torch.
    """

    device: str | None = None
    dtype: torch.dtype | str | None = None

    def __post_init__(self) -> None:
        dtype = self.dtype
        if isinstance(dtype, str):
            dtype = getattr(torch, dtype, None)
        if self.dtype is not None and not (
            isinstance(dtype, torch.dtype) and dtype.is_floating_point
        ):
            raise ValueError(
                "dtype must be a floating point type such as 'float32' or 'bfloat16', got "
                f'{self.dtype!r}'
            )
        object.__setattr__(self, 'dtype', dtype)

    def place(self, like: Tensor) -> torch.device:
        """Where features are kept that theta1 gives like this one."""
        return torch.device(self.device) if self.device is not None else like.device

    def patch_bytes(self, like: Features) -> int:
        """Memory of the features of one patch [bytes]."""
        own = self.dtype
        types = [own if isinstance(own, torch.dtype) else f.dtype for f in like]
        return sum(dtype.itemsize * f[0].numel() for dtype, f in zip(types, like))

    def zeros(self, shape: Sequence[int], like: Tensor) -> Tensor:
        """New memory; page-locked if it is on the host and theta1 runs on a GPU."""
        device = self.place(like)
        pinned = device.type == 'cpu' and like.device.type == 'cuda'
        dtype = self.dtype or like.dtype
        return torch.zeros(tuple(shape), dtype=dtype, device=device, pin_memory=pinned)  # type: ignore[arg-type]


class PatchStore:
    """Feature maps of patches in numbered slots.

    Args:
        slots: Slot of every patch, -1 if it has none; (A,) int64.
        like: Features of any patches as theta1 gives them; what is read has their device and type.
        storage: Where the maps are kept.

    Attributes:
        levels: One tensor (slots, D_l, h_l, w_l) a level, without gradient.

    Raises:
        ValueError: If they do not fit into the memory of the host.
    """

    def __init__(self, slots: Tensor, like: Features, storage: Storage) -> None:
        self.slots = slots
        room = int(slots.max()) + 1
        if storage.place(like[0]).type == 'cpu':
            need, free = room * storage.patch_bytes(like), available_memory()
            if need > free:
                raise ValueError(
                    f'the features of {room} patches take {need / 2**30:.1f} GiB, but the host has '
                    f'only {free / 2**30:.1f} GiB left: use a smaller batch or fewer channels, '
                    "keep them in half precision (latent=dict(dtype='bfloat16') of the gradient), "
                    "or train with gradient='exact', which remembers two rows of patches"
                )
        self.levels = [storage.zeros((room, *f.shape[1:]), f) for f in like]
        self._like = [f.detach().new_empty(0) for f in like]

    @property
    def nbytes(self) -> int:
        """Memory of all slots [bytes]."""
        return sum(level.nbytes for level in self.levels)

    def has(self, indices: Tensor) -> Tensor:
        """Which patches (S,) have a slot; patch -1 has none."""
        return (indices >= 0) & (self.slots[indices] >= 0)

    def set(self, indices: Tensor, features: Features | float) -> None:
        """Overwrite the maps of patches (K,) by features (K, D_l, h_l, w_l) or by a number."""
        for i, level in enumerate(self.levels):
            slots = self.slots[indices].to(level.device)
            if isinstance(features, tuple):
                level[slots] = features[i].detach().to(level)
            else:
                level[slots] = features

    def add(self, level: int, indices: Tensor, rows: slice, cols: slice, values: Tensor) -> None:
        """Add ``values`` (S, D, ., .) to a part of the maps of patches that all have slots."""
        maps = self.levels[level]
        slots = self.slots[indices].to(maps.device)
        maps[:, :, rows, cols].index_add_(0, slots, values.to(maps))

    def get(self, level: int, indices: Tensor, rows: slice = ALL, cols: slice = ALL) -> Tensor:
        """A part (S, D, ., .) of the maps of patches; any values where a patch has no slot."""
        maps = self.levels[level]
        slots = self.slots[indices.clamp(min=0)].clamp(min=0).to(maps.device)
        return maps[:, :, rows, cols][slots].to(self._like[level])
