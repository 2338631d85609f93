"""Any dense head of mmdet as theta2, on the feature maps of whole images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmpatch.patching import Features, Latent, PatchBatch, Reach
from mmpatch.patching.global_windows import global_windows


class StitchedHead:
    """What :class:`mmpatch.PatchDetector` asks of a head, for heads that know nothing of patches.

    The patches of each image are put side by side, an aggregator shared by all levels fuses the
    global patch's features, and the head reads the maps as those of a neck. All maps of the image,
    and what the head keeps for its backward pass, are in memory at once.

    Args:
        head: The dense head; it stays as it is.
        aggregator: Fuses local and global features, (S, F, h, w) each; see :class:`ConvAggregator`.
    """

    reach = Reach.EVERYTHING

    def __init__(self, head: Any, aggregator: nn.Module) -> None:
        self.head = head
        self.aggregator = aggregator

    def towers(self, feats: Sequence[Tensor]) -> Features:
        """Nothing of the head belongs to theta1."""
        return tuple(feats)

    def prepare(self, batch: PatchBatch, samples: Sequence[Any]) -> list[Any]:
        """The data samples, knowing the size of the padded images of their batch."""
        height = max(grid.rows for grid in batch.grids) * batch.patch_size
        width = max(grid.cols for grid in batch.grids) * batch.patch_size
        return [with_shapes(sample, (height, width)) for sample in samples]

    def scored(self, batch: PatchBatch, chosen: Tensor) -> Tensor:
        """Images whose loss an inner iteration counts: all; (B,)."""
        return torch.arange(batch.num_images)

    def loss_at(
        self, batch: PatchBatch, latent: Latent, context: Features | None, scored: Tensor
    ) -> dict[str, Tensor]:
        """The head's losses of some images."""
        (maps,) = self.maps(batch, latent, context, scored)
        samples = [batch.targets[image] for image in scored.tolist()]
        losses: dict[str, Tensor] = self.head.loss(tuple(maps), samples)
        return losses

    def maps(
        self, batch: PatchBatch, latent: Latent, context: Features | None, scored: Tensor
    ) -> tuple[list[Tensor]]:
        """Fused maps of some images, each padded with zeros to the largest.

        Args:
            batch: The patches.
            latent: Z of all of them, (A, F, h_l, w_l) a level.
            context: The same levels of the global patches, (B, F, g_l, g_l); None without.
            scored: Numbers (S,) of the images.

        Returns:
            One list: (S, F, H_l, W_l) a level.
        """
        levels = []
        for level in range(len(latent.levels)):
            parts = [self._image(batch, latent, context, level, i) for i in scored.tolist()]
            height, width = (max(part.shape[axis] for part in parts) for axis in (2, 3))
            padding = [(0, width - p.shape[3], 0, height - p.shape[2]) for p in parts]
            levels.append(torch.cat([F.pad(p, pad) for p, pad in zip(parts, padding)]))
        return (levels,)

    def _image(
        self, batch: PatchBatch, latent: Latent, context: Features | None, level: int, image: int
    ) -> Tensor:
        own, grid = batch.of_image(image), batch.grids[image]
        local, around = latent.windows(level, own), None
        if context is not None:
            h, w = local.shape[-2:]
            windows = global_windows(context[level], batch, own, (h, w), 0)
            around = grid.merge(windows, crop=False)[None]
        fused: Tensor = self.aggregator(grid.merge(local, crop=False)[None], around)
        return fused

    def predict_image(
        self, batch: PatchBatch, outs: tuple[list[Tensor]], meta: dict[str, Any], rescale: bool
    ) -> InstanceData:
        """Detections in one image, from its fused maps."""
        samples = self.prepare(batch, [DetDataSample(metainfo=meta)])
        found: list[InstanceData] = self.head.predict(tuple(outs[0]), samples, rescale=rescale)
        return found[0]


def with_shapes(sample: Any, side: tuple[int, int]) -> Any:
    """A data sample with the metainfo that stock heads take from mmdet's data preprocessor."""
    known = sample.clone()
    known.set_metainfo(dict(pad_shape=side, batch_input_shape=side))
    if 'border' not in known:  # where CenterNet's own test pipeline has put the image
        known.set_metainfo(dict(border=(0, side[0], 0, side[1])))
    return known
