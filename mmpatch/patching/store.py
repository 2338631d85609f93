"""Memory for feature maps of patches, on any device and in any precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from mmpatch.utils.devices import brought, gathered, moved
from mmpatch.utils.memory import available_memory

#: Feature maps of some patches, one tensor (patches, D_l, h_l, w_l) a level.
Features = tuple[Tensor, ...]


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
    """Feature maps of patches in numbered slots, in channels-last order.

    A cell is one run of D numbers in memory, so a window over several patches is one gather of cells.
    One more slot, the *blank* one, stands for patches without a slot: what is read there is zero, or
    never used.

    Args:
        slots: Slot of every patch, -1 if it has none; (A,) int64, on the host.
        maps: One tensor (slots + 1, h_l, w_l, D_l) a level, the blank slot last.
        like: Features of any patches as theta1 gives them; what is read has their device and type.
    """

    def __init__(self, slots: Tensor, maps: Sequence[Tensor], like: Features) -> None:
        self.slots = slots
        self.maps = maps
        self._like = [f.detach().new_empty(0) for f in like]

    @classmethod
    def empty(cls, slots: Tensor, like: Features, storage: Storage) -> PatchStore:
        """A store of zeros.

        Args:
            slots: See the class.
            like: See the class.
            storage: Where the maps are kept.

        Raises:
            ValueError: If they do not fit into the memory of the host.
        """
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
        maps = [storage.zeros((room + 1, *f.shape[2:], f.shape[1]), f) for f in like]
        return cls(slots, maps, like)

    @classmethod
    def of_live(cls, features: Features) -> PatchStore:
        """A store of features (A, D_l, h_l, w_l) of all patches with their graph."""
        maps = [F.pad(f.permute(0, 2, 3, 1), (0, 0, 0, 0, 0, 0, 0, 1)) for f in features]
        return cls(torch.arange(len(features[0])), maps, features)

    @property
    def levels(self) -> list[Tensor]:
        """Views (slots, D_l, h_l, w_l) of the maps, without the blank slot."""
        return [maps[:-1].permute(0, 3, 1, 2) for maps in self.maps]

    @property
    def nbytes(self) -> int:
        """Memory of all slots [bytes]."""
        return sum(maps.nbytes for maps in self.maps)

    def places(self, indices: Tensor) -> Tensor:
        """Slots of patches of any shape, the blank one for -1 and for those without; where maps are."""
        slots = self.slots[indices.clamp(min=0)].masked_fill(indices < 0, -1)
        blank = len(self.maps[0]) - 1
        return moved(slots.masked_fill(slots < 0, blank), self.maps[0].device)

    def set(self, slots: Tensor, features: Features) -> None:
        """Overwrite the maps of some slots (K,) by features (K, D_l, h_l, w_l)."""
        for maps, feature in zip(self.maps, features):
            maps.index_copy_(0, slots, brought(feature.detach().permute(0, 2, 3, 1), maps))

    def clear(self, slots: Tensor) -> None:
        """Overwrite the maps of some slots (K,) by zeros."""
        for maps in self.maps:
            maps.index_fill_(0, slots, 0)

    def get(self, level: int, slots: Tensor) -> Tensor:
        """The maps (K, D, h, w) of some slots (K,)."""
        return gathered(self.maps[level], slots, self._like[level]).permute(0, 3, 1, 2)

    def gather(self, level: int, near: Tensor, radius: int) -> Tensor:
        """Maps with a margin of their neighbours' cells.

        Args:
            level: Number of the feature level.
            near: Slots of patches and their 3 x 3 neighbours, (S, 9).
            radius: Margin r [cells].

        Returns:
            (S, D, h + 2r, w + 2r).
        """
        if radius == 0:
            return self.get(level, near[:, 4])
        maps = self.maps[level]
        _, h, w, channels = maps.shape
        places = self._cells(level, near, radius)
        cells = gathered(maps.reshape(-1, channels), places, self._like[level])
        windows = cells.view(len(near), h + 2 * radius, w + 2 * radius, channels)
        return windows.permute(0, 3, 1, 2)

    def scatter(self, level: int, near: Tensor, radius: int, values: Tensor) -> None:
        """Add to the maps what :meth:`gather` would read; its adjoint.

        Args:
            level: Number of the feature level.
            near: Slots of patches and their 3 x 3 neighbours, (S, 9).
            radius: Margin r [cells].
            values: (S, D, h + 2r, w + 2r).
        """
        maps = self.maps[level]
        values = brought(values.permute(0, 2, 3, 1), maps)
        if radius == 0:
            maps.index_add_(0, near[:, 4], values)
            return
        channels = maps.shape[3]
        cells = self._cells(level, near, radius)
        maps.view(-1, channels).index_add_(0, cells, values.reshape(-1, channels))

    def _cells(self, level: int, near: Tensor, radius: int) -> Tensor:
        """Numbers of the cells of S windows among all cells of a level, (S * cells,)."""
        h, w = self.maps[level].shape[1:3]
        patch, cell = window_cells(h, w, radius, near.device)
        return (near.index_select(1, patch) * (h * w) + cell).flatten()


@lru_cache(maxsize=64)
def window_cells(h: int, w: int, radius: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Where the cells of a window lie, row by row.

    Args:
        h: Rows of cells of a patch.
        w: Columns.
        radius: Margin r of the window [cells], at most h and w.
        device: Where the answer is needed.

    Returns:
        Number of the patch among the 3 x 3 neighbours, and number of the cell in it; (cells,) int64.
    """
    rows, cols = (torch.arange(-radius, length + radius) for length in (h, w))
    row_of, col_of = (
        torch.div(at, length, rounding_mode='floor') + 1 for at, length in ((rows, h), (cols, w))
    )
    patch = row_of[:, None] * 3 + col_of
    cell = (rows % h)[:, None] * w + cols % w
    return moved(patch.flatten(), device), moved(cell.flatten(), device)
