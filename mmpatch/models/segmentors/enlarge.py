"""From logits at the stride of the latent to full resolution, patch by patch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmpatch.patching import PatchBatch
from mmpatch.patching.store import window_cells
from mmpatch.utils.devices import moved


def enlarged(
    logits: Tensor, batch: PatchBatch[object], indices: Tensor, stride: int, known: Tensor
) -> Tensor:
    """Interpolate logits to full resolution, bilinear.

    Args:
        logits: (S, C, h + 2, w + 2), with a margin of one cell.
        batch: The patches.
        indices: (S,) their flat numbers.
        stride: Side of a cell [px].
        known: (S, 9) bool, on the host: see :class:`mmpatch.patching.latent.Around`.

    Returns:
        (S, C, P, P). Cells beyond the image, or of patches that are not known, have no weight: values at
        their border are continued.
    """
    cells = torch.arange(-1, logits.shape[-1] - 1) * stride
    inside = []
    for axis in (0, 1):
        sizes = torch.tensor([(grid.height, grid.width)[axis] for grid in batch.grids])
        starts = batch.origins[indices, axis, None] + cells
        inside.append((starts >= 0) & (starts < sizes[batch.image_index[indices], None]))
    patch, _ = window_cells(*(length - 2 for length in logits.shape[2:]), 1, known.device)
    mask = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    mask &= known[:, patch].view_as(mask)

    def enlarge(x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=stride, mode='bilinear', align_corners=False)
        return x[..., stride:-stride, stride:-stride]

    if bool(mask.all()):
        return enlarge(logits)
    weights = moved(mask.to(logits.dtype), logits.device)
    return enlarge(logits * weights) / enlarge(weights).clamp(
        min=0.25
    )  # the least of a pixel inside
