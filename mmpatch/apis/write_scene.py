"""Prediction of one scene, from its file to files of results."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmpatch.datasets.raster_image import RasterImage
from mmpatch.utils.files import locked, write_atomic

from .classify_raster import classify
from .detect_raster import detections
from .detection_files import class_name, write_detections
from .identity import Identity, differences, with_image
from .labels_file import write_labels
from .output_options import OutputOptions
from .overlay import draw_overlay
from .parts import Parts, folder_of
from .patch_predictor import CLASSIFICATION, DETECTION, PatchPredictor
from .polygons import write_polygons
from .relevance_file import write_relevance
from .scene_coordinates import SceneCoordinates
from .scene_result import SceneResult
from .segment_raster import image_name, label_rows, rows_of
from .watch import Watch, unseen

#: Folder of the notes that say what results were made from.
NOTES = '.made_from'


def write_scene(
    predictor: PatchPredictor,
    path: str,
    name: str,
    folder: Path,
    options: OutputOptions,
    watch: Watch = unseen,
) -> SceneResult:
    """Predict a scene and write its results, or find them there.

    Finished rows of patches are kept in ``NAME.parts`` until the results are written. A note in
    ``.made_from`` then says what they were made from.

    Args:
        predictor: The model.
        path: The scene.
        name: Name that its files get.
        folder: Where they go.
        options: Which files to write.
        watch: Shows progress.

    Returns:
        What was found.

    Raises:
        ValueError: If the scene cannot be read, or results of another model are there.
        OSError: If the disk is full; finished rows stay.
        RuntimeError: If another process works on the scene.
    """
    start = time.perf_counter()
    image = predictor.open(path)
    identity = with_image(predictor.identity, image)
    outs = options.files(predictor.task, folder, name)
    (folder / NOTES).mkdir(parents=True, exist_ok=True)
    note = folder / NOTES / f'{name}.json'
    with locked(note.with_suffix('.lock'), f'another process predicts {path} to {folder}'):
        known = _known(note, identity, outs, folder / name)
        if known and all(out.exists() for out in outs):
            return SceneResult(path, 'there', known['text'], fields=known['fields'])
        parts = Parts(folder / name, identity, rows_of(predictor.model, image))
        try:
            predictor.save_parts(image, parts, watch)
        except Exception:
            parts.remove_if_empty()
            raise
        with parts.kept_if_full():
            text, fields = _write(predictor, image, parts, outs, watch)
            found = dict(identity=identity, text=text, fields=fields)
            write_atomic(note, json.dumps(found).encode())
        parts.remove()
    return SceneResult(path, 'done', text, time.perf_counter() - start, fields)


def save_share(
    predictor: PatchPredictor,
    path: str,
    name: str,
    folder: Path,
    options: OutputOptions,
    share: Callable[[int], range],
    watch: Watch = unseen,
) -> None:
    """Predict some rows of patches of a scene, which :func:`write_scene` then finds.

    Args:
        predictor: The model.
        path: The scene.
        name: Name that its files get.
        folder: Where they go.
        options: Which files to write.
        share: Gives the rows that this process computes, from the number of all.
        watch: Shows progress.

    Raises:
        ValueError: See :func:`write_scene`.
        OSError: See :func:`write_scene`.
    """
    image = predictor.open(path)
    identity = with_image(predictor.identity, image)
    outs = options.files(predictor.task, folder, name)
    known = _known(folder / NOTES / f'{name}.json', identity, outs, folder / name)
    if known and all(out.exists() for out in outs):
        return
    count = rows_of(predictor.model, image)
    parts = Parts(folder / name, identity, count)
    predictor.save_parts(image, parts, watch, share(count))


def _known(note: Path, identity: Identity, outs: list[Path], base: Path) -> dict[str, Any]:
    """What an earlier run noted about the scene; empty without one."""
    if note.is_file():
        known: dict[str, Any] = json.loads(note.read_text())
        different = differences(known['identity'], identity)
        if different:
            raise ValueError(
                f'{base}.* are results of another {different}: write to another folder than '
                f'{base.parent}, or remove them and {note}'
            )
        return known
    there = [str(out) for out in outs if out.exists()]
    if there and not folder_of(base).is_dir():
        raise ValueError(
            f'{", ".join(there)} exist, but nothing tells what they were made from: remove them, or '
            'write to another folder'
        )
    return {}


def _write(
    predictor: PatchPredictor, image: RasterImage, parts: Parts, outs: list[Path], watch: Watch
) -> tuple[str, dict[str, Any]]:
    """Write the files of a scene from its parts; gives a summary, and the row of the table."""
    classes = predictor.classes
    if predictor.task == DETECTION:
        steps = detections(predictor.model, parts)
        found = watch(steps, f'Merging rows of {image_name(image)}', parts.rows + 1, 0)
        count = write_detections(outs, found, image, classes)
        return f'{count} detections', {}
    if predictor.task == CLASSIFICATION:
        return _classify(predictor, image, parts, outs)
    labels, polygons = outs[0], [out for out in outs if '.polygons.' in out.name]
    write_labels(labels, label_rows(parts), image, predictor.palette)
    text = f'{image.shape[1]} x {image.shape[2]} labels'
    if polygons:
        text += f', {write_polygons(polygons, labels, image, classes)} polygons'
    for overlay in [out for out in outs if out.name.endswith('.overlay.png')]:
        draw_overlay(image, labels, overlay, predictor.meta)
    return text, {}


def _classify(
    predictor: PatchPredictor, image: RasterImage, parts: Parts, outs: list[Path]
) -> tuple[str, dict[str, Any]]:
    height, width = image.shape[1:]
    model = predictor.model
    model.explain = bool(outs)
    sample = classify(model, (height, width), parts)
    label = int(sample.pred_label)
    score = round(sample.pred_score.tolist()[label], 6)
    for out in outs:
        relevance = sample.patch_relevance.detach().cpu().numpy()
        write_relevance(out, relevance, model.patch_size, SceneCoordinates(image))
    name = class_name(predictor.classes, label)
    fields = {'scene': image.path, 'label': label, 'class': name, 'score': score}
    return f'{name} ({score:.3f})', fields
