"""Detections of a scene as files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mmpatch.datasets.raster_image import RasterImage

from .boxes import Boxes
from .scene_coordinates import SceneCoordinates
from .vector_file import Feature, vector_file

#: Features that are in memory at once.
AT_ONCE = 4096


def write_detections(
    outs: Sequence[Path], found: Iterable[Boxes], image: RasterImage, classes: Sequence[str]
) -> int:
    """Write detections while they come.

    Args:
        outs: Files to write: ``.geojson`` and ``.gpkg`` in the scene's coordinates, ``.json`` as
            results of COCO in pixels.
        found: The detections, some at a time.
        image: The scene.
        classes: Names of the classes; a class without one has its number.

    Returns:
        Number of detections.
    """
    coordinates, count = SceneCoordinates(image), 0
    with ExitStack() as stack:
        vectors = [
            stack.enter_context(vector_file(out, coordinates, ('label', 'class', 'score')))
            for out in outs
            if out.suffix != '.json'
        ]
        tables = [stack.enter_context(_coco(out)) for out in outs if out.suffix == '.json']
        for boxes in found:
            count += len(boxes)
            for start in range(0, len(boxes) if vectors else 0, AT_ONCE):
                part = boxes[np.arange(start, min(start + AT_ONCE, len(boxes)))]
                features = _features(part, coordinates, classes)
                for file in vectors:
                    file.write(features)
            for table in tables:
                table.write(boxes)
    return count


def class_name(classes: Sequence[str], label: int) -> str:
    """Name of a class, or its number if it has none."""
    return classes[label] if label < len(classes) else str(label)


def _features(boxes: Boxes, coordinates: SceneCoordinates, classes: Sequence[str]) -> list[Feature]:
    outlines = coordinates.corners(boxes.bboxes)
    return [
        Feature([ring], {'label': label, 'class': class_name(classes, label), 'score': score})
        for ring, label, score in zip(outlines, boxes.labels.tolist(), _short(boxes.scores))
    ]


def _short(values: Any) -> list[float]:
    """Numbers of an array as text needs them, without the digits that single precision lacks."""
    return [float(str(value)) for value in values]


class _Coco:
    def __init__(self, stream: Any, image_id: int | str) -> None:
        self._stream = stream
        self._image_id = image_id
        self._between = '\n'

    def write(self, boxes: Boxes) -> None:
        x0, y0, x1, y1 = boxes.bboxes.T
        sides = zip(*(_short(side) for side in (x0, y0, x1 - x0, y1 - y0)))
        for bbox, label, score in zip(sides, boxes.labels.tolist(), _short(boxes.scores)):
            one = dict(image_id=self._image_id, category_id=label, bbox=bbox, score=score)
            self._stream.write(self._between + json.dumps(one))
            self._between = ',\n'


@contextmanager
def _coco(out: Path) -> Iterator[_Coco]:
    """A list of COCO results; the image is known by the name of the file, as a number if it is one."""
    name = out.name.split('.coco')[0]
    part = out.with_name(f'.{out.name}.part')
    try:
        with part.open('w', encoding='utf-8') as stream:
            stream.write('[')
            yield _Coco(stream, int(name) if name.isdecimal() else name)
            stream.write('\n]\n')
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
