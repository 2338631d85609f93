"""Detection in images that do not fit into memory, row of patches by row of patches."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.logging import print_log

from mmpatch.models.detectors import PatchDetector, PatchStitchedDetector
from mmpatch.patching import PatchBatch

from .boxes import Boxes
from .parts import Parts
from .parts_in_memory import PartsInMemory
from .row_nms import RowNMS, suppress_rows
from .segment_raster import image_name, watched
from .watch import Watch

#: Name of the part that belongs to no row: what the global patch found, or everything at once.
WHOLE = 'whole'


def save_candidates(
    model: PatchDetector | PatchStitchedDetector,
    image: Any,
    parts: Parts | PartsInMemory,
    watch: Watch,
    rows: range | None = None,
) -> None:
    """Save what NMS chooses from in the rows of patches that are missing.

    Args:
        model: In evaluation mode, on its device.
        image: A file, or a tensor (C, H, W).
        parts: Where the rows are kept.
        watch: Shows progress.
        rows: The rows that this process computes; None: all. The global patch goes with the first.
    """
    first = rows is None or 0 in rows
    if isinstance(model, PatchStitchedDetector):
        if first and not parts.has(WHOLE):
            _save(parts, WHOLE, _at_once(model, image))
        return
    row_nms(model.test_cfg)  # an unknown kind of suppression is to be told before the long part
    # The batch remembers the global patch, for which it reads all pixels.
    batch = model.cut_images([image])
    if first and not parts.has(WHOLE):
        _save(parts, WHOLE, _large(model, batch))
    compute = partial(_rows, model, batch)
    for row, boxes in watched(compute, 'Detecting in', image, parts, watch, rows):
        _save(parts, row, boxes)


def detections(
    model: PatchDetector | PatchStitchedDetector, parts: Parts | PartsInMemory
) -> Iterator[Boxes]:
    """Detections of a scene from its parts, some at a time.

    Args:
        model: The model that gave the parts.
        parts: Of all rows.
    """
    if isinstance(model, PatchStitchedDetector):
        yield _load(parts, WHOLE)
        return
    names = [WHOLE, *range(parts.rows)]
    tops = np.array([float(parts.load(name, 'top')['top']) for name in names])
    yield from suppress_rows((_load(parts, name) for name in names), tops, row_nms(model.test_cfg))


def row_nms(test_cfg: Mapping[str, Any]) -> RowNMS:
    """The suppression that a head's settings ask for.

    Raises:
        ValueError: If it is of a kind that cannot go row by row.
    """
    settings = dict(test_cfg.get('nms') or {})
    kind = settings.pop('type', 'nms')
    threshold = settings.pop('iou_threshold', 0.5)
    agnostic = settings.pop('class_agnostic', False)
    settings.pop('split_thr', None)
    if kind != 'nms' or settings:
        raise ValueError(
            f"test_cfg.nms={dict(test_cfg['nms'])}: scenes are predicted row by row with type='nms', "
            'iou_threshold and class_agnostic alone. Set such an nms, for example by '
            '--cfg-options model.test_cfg.nms.type=nms'
        )
    return RowNMS(float(threshold), bool(agnostic))


def _large(model: PatchDetector, batch: PatchBatch[object]) -> Boxes:
    """Candidates of the global patch."""
    if model.seen_scales is not None:
        model.seen_scales.check(batch.grids[0])
    found = [Boxes.of(large) for large in model.global_candidates(batch)]
    return Boxes.cat(found) if found else Boxes.none()


def _rows(model: PatchDetector, batch: PatchBatch[object], wanted: range) -> Iterator[Boxes]:
    """Candidates of rows of patches."""
    cols = batch.grids[0].cols
    found: list[Boxes] = []
    for patch, candidates in model.sweep_candidates(batch, wanted.start * cols):
        row, col = divmod(patch, cols)
        if row not in wanted:  # a chunk may begin in the row before
            continue
        found.append(Boxes.of(candidates))
        if col == cols - 1:
            yield Boxes.cat(found)
            found = []
            if row == wanted[-1]:
                return


def _at_once(model: PatchStitchedDetector, image: Any) -> Boxes:
    """What a detector gives that needs the maps of the whole image."""
    print_log(
        f'{image_name(image)} is predicted at once: PatchStitchedDetector keeps the maps of the whole '
        'scene in memory, and no row of an interrupted run. PatchDetector goes row by row',
        logger='current',
        level=logging.WARNING,
    )
    size = tuple(image.shape[-2:])
    meta = dict(img_shape=size, ori_shape=size, pad_shape=size, scale_factor=(1.0, 1.0))
    with torch.no_grad():
        (sample,) = model.predict([image], [DetDataSample(metainfo=meta)])
    return Boxes.of(sample.pred_instances)


def _save(parts: Parts | PartsInMemory, name: str | int, boxes: Boxes) -> None:
    top = np.float64(boxes.top)
    arrays = dict(bboxes=boxes.bboxes, scores=boxes.scores, labels=boxes.labels, top=np.array(top))
    parts.save(name, **arrays)


def _load(parts: Parts | PartsInMemory, name: str | int) -> Boxes:
    return Boxes(**parts.load(name, 'bboxes', 'scores', 'labels'))
