"""Features of the global patch at the places of local ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmpatch.utils.devices import moved

from .batch import PatchBatch


def global_windows(
    feature: Tensor, batch: PatchBatch[object], indices: Tensor, cells: tuple[int, int], radius: int
) -> Tensor:
    """The global patch's features at the places of local patches, bilinear.

    This equals resizing the global map to a square of the image's longer side and cutting the
    windows out of it, without ever holding the resized map.

    Args:
        feature: Features of the global patches, (B, D, g, g).
        batch: Where the patches lie.
        indices: (S,) flat numbers of the patches.
        cells: Cells (h, w) of a patch on this level.
        radius: Margin r around each patch [cells].

    Returns:
        (S, D, h + 2r, w + 2r); cells outside the global patch repeat its border.
    """
    if feature.dtype not in (torch.float32, torch.float64):
        feature = feature.float()  # places in half precision would be off by whole cells
    images = batch.image_index[indices]
    out = []
    for image in images.unique().tolist():
        grid, chosen = batch.grids[image], indices[images == image]
        axes = []
        for axis, (count, scale) in enumerate(zip(cells, grid.global_scale)):
            centres = torch.arange(-radius, count + radius, dtype=torch.float64) + 0.5
            pixels = batch.origins[chosen, axis, None] + centres * (batch.patch_size / count)
            places = pixels * scale / batch.patch_size * 2 - 1
            axes.append(moved(places.to(feature.dtype), feature.device))
        ys, xs = axes
        places = torch.stack(
            (
                xs[:, None, :].expand(-1, ys.shape[1], -1),
                ys[:, :, None].expand(-1, -1, xs.shape[1]),
            ),
            dim=-1,
        )
        sampled = F.grid_sample(
            feature[image : image + 1],
            places.reshape(1, -1, places.shape[2], 2),
            mode='bilinear',
            padding_mode='border',
            align_corners=False,
        )
        out.append(sampled[0].unflatten(1, (len(chosen), -1)).transpose(0, 1))
    if len(out) == 1:
        return out[0]
    order = images.argsort(stable=True).argsort()
    return torch.cat(out).index_select(0, moved(order, feature.device))
