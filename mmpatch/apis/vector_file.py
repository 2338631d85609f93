"""Vector files that are written while their features come."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import fiona
import numpy as np
from numpy.typing import NDArray

from .scene_coordinates import SceneCoordinates

#: The fields of a feature, and their types in a GeoPackage.
FIELDS = {'label': 'int32', 'class': 'str', 'score': 'float'}


@dataclass(frozen=True)
class Feature:
    """A polygon with what it stands for.

    Attributes:
        rings: Its outline and its holes, each (points, 2), closed, in the scene's coordinates.
        fields: ``label``, ``class`` and, for detections, ``score``.
    """

    rings: Sequence[NDArray[np.float64]]
    fields: dict[str, Any]


class VectorFile(Protocol):
    """Takes features and writes them."""

    def write(self, features: Sequence[Feature]) -> None:
        """Add features."""


@contextmanager
def vector_file(
    out: Path, coordinates: SceneCoordinates, fields: Sequence[str]
) -> Iterator[VectorFile]:
    """Open a file to write; it takes the place of an older one once it is whole.

    Args:
        out: The file, ``.geojson`` or ``.gpkg``.
        coordinates: Of the scene.
        fields: Names of the fields that features have, of :data:`FIELDS`.
    """
    part = out.with_name(f'.{out.stem}.part{out.suffix}')
    leftovers = [part.with_name(part.name + end) for end in ('', '-journal', '-wal', '-shm')]
    opened = _geopackage if out.suffix == '.gpkg' else _geojson
    try:
        for path in leftovers:
            path.unlink(missing_ok=True)
        with opened(part, out.stem, coordinates, fields) as file:
            yield file
        os.replace(part, out)
    finally:
        for path in leftovers:
            path.unlink(missing_ok=True)


@contextmanager
def _geopackage(
    path: Path, layer: str, coordinates: SceneCoordinates, fields: Sequence[str]
) -> Iterator[VectorFile]:
    crs = coordinates.crs
    with fiona.open(
        path,
        'w',
        driver='GPKG',
        layer=layer,
        crs_wkt=None if crs is None else crs.to_wkt(),
        schema=dict(geometry='Polygon', properties={name: FIELDS[name] for name in fields}),
    ) as sink:
        yield _GeoPackage(sink)


class _GeoPackage:
    def __init__(self, sink: Any) -> None:
        self._sink = sink

    def write(self, features: Sequence[Feature]) -> None:
        self._sink.writerecords(
            dict(
                geometry=dict(type='Polygon', coordinates=[ring.tolist() for ring in one.rings]),
                properties=one.fields,
            )
            for one in features
        )


@contextmanager
def _geojson(
    path: Path, layer: str, coordinates: SceneCoordinates, fields: Sequence[str]
) -> Iterator[VectorFile]:
    head: dict[str, Any] = dict(type='FeatureCollection', name=layer)
    if coordinates.geojson_crs is not None:
        head['crs'] = dict(type='name', properties=dict(name=coordinates.geojson_crs))
    with path.open('w', encoding='utf-8') as stream:
        stream.write(json.dumps(head)[:-1] + ', "features": [')
        yield _GeoJSON(stream, coordinates)
        stream.write('\n]}\n')
        stream.flush()
        os.fsync(stream.fileno())


class _GeoJSON:
    def __init__(self, stream: Any, coordinates: SceneCoordinates) -> None:
        self._stream = stream
        self._coordinates = coordinates
        self._between = '\n'

    def write(self, features: Sequence[Feature]) -> None:
        if not features:
            return
        rings = [ring for one in features for ring in one.rings]
        ends = np.cumsum([len(ring) for ring in rings])[:-1]
        points = self._coordinates.for_geojson(np.concatenate(rings))
        moved = iter(np.split(points, ends))
        for one in features:
            geometry = dict(type='Polygon', coordinates=[next(moved).tolist() for _ in one.rings])
            text = json.dumps(dict(type='Feature', properties=one.fields, geometry=geometry))
            self._stream.write(self._between + text)
            self._between = ',\n'
