"""Classification of images that do not fit into memory, row of patches by row of patches."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmpatch.models.classifiers import PatchClassifier
from mmpatch.patching import PatchBatch

from .parts import Parts
from .parts_in_memory import PartsInMemory
from .segment_raster import watched
from .watch import Watch

#: Name of the part with the vector of the global patch.
GLOBAL = 'global'


def save_entries(
    model: PatchClassifier,
    image: Any,
    parts: Parts | PartsInMemory,
    watch: Watch,
    rows: range | None = None,
) -> None:
    """Encode the rows of patches that are missing, and the global patch.

    Args:
        model: In evaluation mode, on its device.
        image: A file, or a tensor (C, H, W).
        parts: Where vectors are kept, with the places of their patches in the grid.
        watch: Shows progress.
        rows: The rows that this process computes; None: all. The global patch goes with the first.
    """
    batch = model.cut_images([image])
    if model.global_patch and (rows is None or 0 in rows) and not parts.has(GLOBAL):
        with torch.no_grad():
            features = model.encode_global(batch)
        assert features is not None
        parts.save(GLOBAL, entry=features[0].cpu().numpy())
    compute = partial(_rows, model, batch)
    for row, (places, entries) in watched(compute, 'Classifying', image, parts, watch, rows):
        parts.save(row, places=places, entries=entries)


def classify(model: PatchClassifier, size: tuple[int, int], parts: Parts | PartsInMemory) -> Any:
    """The class of a scene from the vectors of its patches.

    Args:
        model: The model that gave the parts.
        size: Height and width of the scene [px].
        parts: Of all rows.

    Returns:
        A data sample, see :meth:`mmpatch.models.classifiers.PatchClassifier.predict`.
    """
    height, width = (-(-side // model.patch_size) for side in size)
    device = model.data_preprocessor.device
    rows = [parts.load(row) for row in range(parts.rows)]
    entries = np.concatenate([row['entries'] for row in rows if len(row['entries'])])
    places = np.concatenate([row['places'] for row in rows if len(row['entries'])])
    maps = np.zeros((height * width, entries.shape[1]), dtype=entries.dtype)
    maps[places] = entries
    latent = torch.from_numpy(maps).to(device).T.unflatten(1, (height, width))[None]
    global_entry = None
    if model.global_patch:
        global_entry = torch.from_numpy(parts.load(GLOBAL)['entry']).to(device)
    (sample,) = model.classify(latent, global_entry)
    return sample


def _rows(
    model: PatchClassifier, batch: PatchBatch[object], wanted: range
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Places (K,) in the grid and vectors (K, D) of rows of patches."""
    row_of = batch.places // batch.grids[0].cols
    rows = [batch.all_patches[row_of == row] for row in wanted]
    # A row may be nothing but background.
    chunks = [patches.split(model.chunk_size) if len(patches) else () for patches in rows]
    batch.expect([chunk for row in chunks for chunk in row])
    for patches, row in zip(rows, chunks):
        with torch.no_grad():
            found = [model.encode(batch, chunk)[0][:, :, 0, 0].cpu().numpy() for chunk in row]
        vectors = np.concatenate(found) if found else np.zeros((0, 0), dtype=np.float32)
        yield batch.places[patches].numpy(), vectors
