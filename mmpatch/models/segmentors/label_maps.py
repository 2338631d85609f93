"""Label maps of a batch, read window by window."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmpatch.patching import PatchBatch
from mmpatch.utils.devices import moved


class LabelMaps:
    """The label maps of a batch of images.

    Args:
        maps: B label maps (1, H, W), integer, wherever they live; only windows are read.
        batch: The images.
        names: Names of the images, for messages.
        num_classes: Number of classes.
        ignore_index: Label of pixels that are left out; those beyond the image get it as well.

    Attributes:
        normalisers: What divides the losses of the batch, counted once and averaged over ranks.
        scored: (S,) the patches whose losses stand for the batch's; None: all.

    Raises:
        ValueError: If a map has another size than its image.
    """

    def __init__(
        self,
        maps: Sequence[Any],
        batch: PatchBatch[object],
        names: Sequence[str],
        num_classes: int,
        ignore_index: int,
    ) -> None:
        for name, label, grid in zip(names, maps, batch.grids):
            if tuple(label.shape[-2:]) != (grid.height, grid.width):
                raise ValueError(
                    f'the label map of {name} has {label.shape[-2]} x {label.shape[-1]} px, its '
                    f'image {grid.height} x {grid.width} px: they must be the same; in the '
                    'pipeline, load the annotations before anything that resizes or crops'
                )
        self.maps = maps
        self.batch = batch
        self.names = names
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.normalisers: Tensor | None = None
        self.scored: Tensor | None = None
        self._of_global: dict[int, Tensor] = {}

    def for_iteration(self, patches: Tensor) -> LabelMaps:
        """The same maps for an inner iteration whose losses are those of the S patches it scores alone."""
        labels = copy.copy(self)
        labels.normalisers, labels.scored = None, patches
        return labels

    def of_scored(self, sums: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Sums over images, (B, k) per loss, without the images that no scored patch belongs to."""
        if self.scored is None:
            return sums
        images = self.batch.image_index[self.scored].unique()
        return tuple(own[moved(images, own.device)] for own in sums)

    def read(self, indices: Tensor, device: torch.device) -> Tensor:
        """Labels of patches.

        Args:
            indices: (S,) flat numbers.
            device: Where they are needed.

        Returns:
            (S, P, P) int64, ``ignore_index`` beyond the image.

        Raises:
            ValueError: If a label is no class.
        """
        batch, side = self.batch, self.batch.patch_size
        windows = torch.full((len(indices), side, side), self.ignore_index, dtype=torch.long)
        for window, index in zip(windows, indices.tolist()):
            image = int(batch.image_index[index])
            y, x = batch.origins[index].tolist()
            found = self.maps[image][:, y : y + side, x : x + side][0]
            window[: found.shape[0], : found.shape[1]] = found
            self._check(window, image)
        return moved(windows, device)

    def read_global(self, cells: int, device: torch.device) -> Tensor:
        """Labels of the global patches, those in the middle of their cells.

        Args:
            cells: Cells of a global patch's side.
            device: Where they are needed.

        Returns:
            (B, cells, cells) int64, ``ignore_index`` beyond the image.
        """
        if cells not in self._of_global:  # once a batch
            self._of_global[cells] = moved(self._read_global(cells), device)
        return self._of_global[cells]

    def _read_global(self, cells: int) -> Tensor:
        windows = torch.full((len(self.maps), cells, cells), self.ignore_index, dtype=torch.long)
        middles = (torch.arange(cells) + 0.5) * (self.batch.patch_size / cells)
        for window, label, grid in zip(windows, self.maps, self.batch.grids):
            ys, xs = (
                (middles[middles < inside] / scale).long()
                for inside, scale in zip(grid.global_size, grid.global_scale)
            )
            for row, y in zip(window, ys.tolist()):
                row[: len(xs)] = label[:, y : y + 1, :][0, 0, xs]
        for number, window in enumerate(windows):
            self._check(window, number)
        return windows

    def _check(self, window: Tensor, image: int) -> None:
        classes = max(self.num_classes, 2)
        wrong = (window < 0) | (window >= classes)
        wrong &= window != self.ignore_index
        if bool(wrong.any()):
            labels = window[wrong].unique()[:5].tolist()
            raise ValueError(
                f'the label map of {self.names[image]} has the label(s) {labels}, but classes are '
                f'0 to {classes - 1} and {self.ignore_index} is ignored: check the masks, '
                "'reduce_zero_label', and whether colours or 0/255 must be converted first"
            )
