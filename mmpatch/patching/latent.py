"""The latent Z: what is remembered of every patch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .batch import PatchBatch
from .grid import NEIGHBOURHOOD

#: Feature maps of some patches, one tensor (patches, D_l, h_l, w_l) a level.
Features = tuple[Tensor, ...]


def chunks(indices: Tensor, size: int) -> Iterator[Tensor]:
    """Go through patch numbers (S,) in portions of at most ``size``."""
    return iter(indices.split(size))


class Latent:
    """Features of all A patches of a batch, patch by patch, with their neighbourhood.

    Storing Z by patch and not as one stitched map lets theta2 read any selection of places with
    the margin that it needs, so neither its memory nor the backward pass through ``windows``
    grows with the image.

    Args:
        batch: Where the patches lie.
        levels: One tensor (A, D_l, h_l, w_l) a level; carries no gradient.
    """

    def __init__(self, batch: PatchBatch, levels: Sequence[Tensor]) -> None:
        self.batch = batch
        self.levels = list(levels)
        self._live: Features | None = None
        self._slots = torch.full((batch.num_patches,), -1)

    @classmethod
    def fill(
        cls, batch: PatchBatch, encode: Callable[[Tensor], Features], chunk_size: int
    ) -> Latent:
        """Encode all patches without gradient, ``chunk_size`` at a time.

        Args:
            batch: The patches.
            encode: theta1, (K, C, Q, Q) -> features.
            chunk_size: Patches encoded at once; changes speed and memory, never the result.

        Returns:
            The filled latent.
        """
        levels: list[Tensor] = []
        with torch.no_grad():
            for part in chunks(torch.arange(batch.num_patches), chunk_size):
                features = encode(batch.read(part))
                if not levels:
                    levels = [f.new_empty((batch.num_patches, *f.shape[1:])) for f in features]
                for level, feature in zip(levels, features):
                    level[part] = feature
        return cls(batch, levels)

    @classmethod
    def of_live(cls, batch: PatchBatch, features: Features) -> Latent:
        """A latent in which every patch carries gradient, in the order of the batch."""
        latent = cls(batch, [f.detach() for f in features])
        return latent.with_live(torch.arange(batch.num_patches), features)

    def with_live(self, indices: Tensor, features: Features) -> Latent:
        """The same latent with the features of some patches replaced by ones that carry gradient.

        Args:
            indices: (K,) flat numbers of the patches, each at most once.
            features: Their features, (K, D_l, h_l, w_l) a level.

        Returns:
            A view that shares the memory of this latent.
        """
        view = Latent(self.batch, self.levels)
        view._live = features
        view._slots[indices] = torch.arange(len(indices))
        return view

    def write(self, indices: Tensor, features: Features) -> None:
        """Remember features (K, D_l, h_l, w_l), detached, for later inner iterations."""
        for level, feature in zip(self.levels, features):
            level[indices] = feature.detach().to(level.dtype)

    def windows(self, level: int, indices: Tensor, radius: int = 0) -> Tensor:
        """Feature maps of patches together with a margin of their neighbours' cells.

        Args:
            level: Number of the feature level.
            indices: (S,) flat numbers.
            radius: Margin r [cells], at most the h and w of the level.

        Returns:
            (S, D, h + 2r, w + 2r), zeros where there is no patch. Gradient flows to live patches.
        """
        h, w = self.levels[level].shape[-2:]
        if radius > min(h, w):
            raise ValueError(
                f'level {level} has {h} x {w} cells a patch, but {radius} cells of the neighbour '
                'are needed: use larger patches or fewer (finer) feature levels'
            )
        if radius == 0:
            return self._piece(level, indices, slice(None), slice(None))
        near = self.batch.neighbours[indices]
        pieces = [
            self._piece(level, near[:, i], _facing(dy, radius, h), _facing(dx, radius, w))
            for i, (dy, dx) in enumerate(NEIGHBOURHOOD)
        ]
        lines = [torch.cat(pieces[i : i + 3], dim=3) for i in (0, 3, 6)]
        return torch.cat(lines, dim=2)

    def inside(self, level: int, indices: Tensor, radius: int) -> Tensor:
        """Which cells of :meth:`windows` belong to a patch; (S, 1, h + 2r, w + 2r) of 0 and 1."""
        cells = self.levels[level]
        h, w = cells.shape[-2:]
        near = (self.batch.neighbours[indices] >= 0).to(cells)
        near = near.reshape(-1, 1, 3, 3)
        rows = torch.tensor([radius, h, radius], device=cells.device)
        cols = torch.tensor([radius, w, radius], device=cells.device)
        return near.repeat_interleave(rows, dim=2).repeat_interleave(cols, dim=3)

    def _piece(self, level: int, indices: Tensor, rows: slice, cols: slice) -> Tensor:
        """One part (S, D, ., .) of the maps of patches; zeros for patch -1."""
        stored = self.levels[level]
        device = stored.device
        missing = (indices < 0).to(device).reshape(-1, 1, 1, 1)
        slots = torch.where(indices < 0, -1, self._slots[indices])
        if self._live is None or bool((slots < 0).all()):
            piece = stored[:, :, rows, cols][indices.clamp(min=0).to(device)]
        else:
            live = self._live[level][:, :, rows, cols][slots.clamp(min=0).to(device)]
            if bool((slots >= 0).all()):
                return live
            old = stored[:, :, rows, cols][indices.clamp(min=0).to(device)].to(live.dtype)
            piece = torch.where((slots >= 0).to(device).reshape(-1, 1, 1, 1), live, old)
        return piece.masked_fill(missing, 0)


def _facing(offset: int, radius: int, cells: int) -> slice:
    """The cells of a neighbour at ``offset`` (-1, 0, 1) that border on the patch in the middle."""
    if offset == 0:
        return slice(None)
    return slice(cells - radius, cells) if offset < 0 else slice(0, radius)


def global_windows(
    feature: Tensor, batch: PatchBatch, indices: Tensor, cells: tuple[int, int], radius: int
) -> Tensor:
    """The global patch's features at the places of local patches, bilinear.

    This equals resizing the global map to the image and cutting the windows out of it, without
    ever holding the resized map.

    Args:
        feature: Features of the global patches, (B, D, g, g).
        batch: Where the patches lie.
        indices: (S,) flat numbers of the patches.
        cells: Cells (h, w) of a patch on this level.
        radius: Margin r around each patch [cells].

    Returns:
        (S, D, h + 2r, w + 2r); cells outside the image repeat its border.
    """
    if feature.dtype not in (torch.float32, torch.float64):
        feature = feature.float()  # places in half precision would be off by whole cells
    images = batch.image_index[indices]
    out = []
    for image in images.unique().tolist():
        grid, chosen = batch.grids[image], indices[images == image]
        axes = []
        for axis, (count, length) in enumerate(zip(cells, (grid.height, grid.width))):
            centres = torch.arange(-radius, count + radius) + 0.5
            pixels = batch.origins[chosen, axis, None] + centres * (batch.patch_size / count)
            axes.append(pixels / length * 2 - 1)
        ys, xs = axes
        places = torch.stack(
            (
                xs[:, None, :].expand(-1, ys.shape[1], -1),
                ys[:, :, None].expand(-1, -1, xs.shape[1]),
            ),
            dim=-1,
        ).to(feature)
        sampled = F.grid_sample(
            feature[image : image + 1],
            places.reshape(1, -1, places.shape[2], 2),
            mode='bilinear',
            padding_mode='border',
            align_corners=False,
        )
        out.append(sampled[0].unflatten(1, (len(chosen), -1)).transpose(0, 1))
    return torch.cat(out)[images.argsort(stable=True).argsort()] if len(out) > 1 else out[0]
