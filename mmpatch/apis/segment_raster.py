"""Segmentation of images that do not fit into memory, from file to file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmpatch.datasets.raster_image import RasterImage
from mmpatch.models.segmentors import PatchSegmentor

from .identity import model_identity, with_image
from .labels_file import IGNORED, Labels, write_labels
from .parts import Parts, missing
from .parts_in_memory import PartsInMemory
from .watch import Watch, bar, unseen


def segment_raster(
    model: PatchSegmentor,
    image: RasterImage,
    out: Path,
    palette: Sequence[Sequence[int]] | None = None,
    show_progress: bool = True,
) -> None:
    """Segment an image row of patches by row of patches, and write a tiled GeoTIFF or PNG of labels.

    Rows are kept in a folder beside the output until all are there. An interrupted run goes on with
    the first row that is missing, and ends with the same file. Coordinate system and transform of the
    image are kept. Pixels that have no data in any band of the image get the label 255, which the file
    declares as its nodata value.

    Args:
        model: In evaluation mode, on its device.
        image: What to segment.
        out: File to write; as PNG with the suffix ``.png``, else as GeoTIFF.
        palette: Colours of the classes, stored in the file.
        show_progress: Show a progress bar.

    Raises:
        ValueError: If rows are there that another model, image, or setting gave.
        OSError: If the disk is full; finished rows stay.
    """
    parts = Parts(out, with_image(model_identity(model), image), rows_of(model, image))
    save_labels(model, image, parts, bar if show_progress else unseen)
    with parts.kept_if_full():
        write_labels(out, label_rows(parts), image, palette)
    parts.remove()


def save_labels(
    model: PatchSegmentor,
    image: Any,
    parts: Parts | PartsInMemory,
    watch: Watch,
    rows: range | None = None,
) -> None:
    """Segment the rows of patches that are missing.

    Args:
        model: In evaluation mode, on its device.
        image: What to segment: a file, or a tensor (C, H, W).
        parts: Where the rows are kept.
        watch: Shows progress.
        rows: The rows that this process computes; None: all.
    """
    compute = partial(_rows, model, image)
    for row, labels in watched(compute, 'Segmenting', image, parts, watch, rows):
        parts.save(row, labels=labels)


def watched(
    compute: Callable[[range], Iterator[Any]],
    verb: str,
    image: Any,
    parts: Parts | PartsInMemory,
    watch: Watch,
    rows: range | None,
) -> Iterator[tuple[int, Any]]:
    """Compute the rows of patches that are missing, and show progress.

    Args:
        compute: Gives something for each row of a range.
        verb: What is done to the image.
        image: A file, or a tensor (C, H, W).
        parts: Where rows are kept.
        watch: Shows progress.
        rows: The rows that this process computes; None: all.

    Yields:
        The number of a row, and what was computed.
    """
    if isinstance(image, RasterImage):
        image.advise_tiling()
    name = f'{verb} {image_name(image)}'
    wanted = missing(parts, rows)
    total = parts.rows if rows is None else len(rows)
    found = compute(wanted) if len(wanted) else iter(())
    # The progress comes first: it ends after the last row, where the numbers do not ask again.
    for one, row in zip(watch(found, name, total, total - len(wanted)), wanted):
        yield row, one


def label_rows(parts: Parts | PartsInMemory) -> Iterator[Labels]:
    """Labels (P or less, W) of each row of patches."""
    for row in range(parts.rows):
        yield parts.load(row)['labels']


def rows_of(model: Any, image: Any) -> int:
    """Number of rows of patches that a model cuts an image (C, H, W) into."""
    return int(-(-image.shape[-2] // model.patch_size))


def image_name(image: Any) -> str:
    """Name of the file of an image, for messages."""
    return Path(image.path).name if isinstance(image, RasterImage) else 'an array'


def _rows(model: PatchSegmentor, image: Any, wanted: range) -> Iterator[Labels]:
    """Labels (P or less, W) of rows of patches."""
    batch = model.cut_images([image])
    grid, side = batch.grids[0], batch.patch_size
    may_lack_data = isinstance(image, RasterImage) and image.may_lack_data
    cols = grid.cols
    labels = np.empty((0, 0), dtype=np.uint8)
    for indices, logits in model.sweep_logits(batch, wanted.start * cols):
        for index, window in zip(indices.tolist(), model.classify(logits).cpu().numpy()):
            row, col = divmod(index, cols)
            if row not in wanted:  # a chunk may begin in the row before
                continue
            if col == 0:
                height = min(side, grid.height - row * side)
                labels = np.empty((height, grid.width), dtype=np.uint8)
            place = labels[:, col * side : (col + 1) * side]
            place[:] = window[: place.shape[0], : place.shape[1]]
            if may_lack_data:
                left, top = col * side, row * side
                region = (left, top, left + place.shape[1], top + place.shape[0])
                place[image.lacks_data(region)] = IGNORED
            if col == cols - 1:
                yield labels
                if row == wanted[-1]:
                    return
