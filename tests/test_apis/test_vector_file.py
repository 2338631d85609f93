"""Coordinates of vector files, as another library reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from mmpatch.apis.scene_coordinates import SceneCoordinates
from mmpatch.apis.vector_file import Feature, vector_file
from mmpatch.datasets.raster_image import RasterImage

#: A projection of nobody's register, with its origin at 9 degrees east and 50 degrees north.
OWN = CRS.from_proj4('+proj=tmerc +lat_0=50 +lon_0=9 +k=1 +x_0=0 +y_0=0 +ellps=WGS84 +units=m')
ROTATED = Affine.translation(100, 200) * Affine.rotation(30) * Affine.scale(2, -2)


def coordinates(tmp_path: Path, crs: Any, transform: Affine) -> SceneCoordinates:
    path = tmp_path / 'scene.tif'
    size = dict(height=20, width=30, count=1, dtype='uint8', driver='GTiff')
    with rasterio.open(path, 'w', crs=crs, transform=transform, **size) as target:
        target.write(np.ones((1, 20, 30), dtype=np.uint8))
    return SceneCoordinates(RasterImage(path))


def written(out: Path, system: SceneCoordinates) -> list[np.ndarray]:
    """A polygon with a hole, and one without."""
    outer, hole, other = system.corners(np.array([[0, 0, 9, 9], [2, 2, 4, 4], [10, 3, 12, 8]]))
    with vector_file(out, system, ('label', 'class')) as file:
        file.write([])
        file.write([Feature([outer, hole], {'label': 1, 'class': 'a'})])
        file.write([Feature([other], {'label': 2, 'class': 'ä'})])
    return [outer, hole, other]


@pytest.mark.parametrize('ending', ['geojson', 'gpkg'])
@pytest.mark.parametrize('crs', ['EPSG:32612', 'EPSG:4326', None])
def test_polygons_are_read_as_they_were_written(tmp_path: Path, crs: Any, ending: str) -> None:
    out = tmp_path / f'a.{ending}'
    rings = written(out, coordinates(tmp_path, crs, ROTATED))
    with fiona.open(out) as source:
        assert crs is None or source.crs.to_epsg() == int(crs[5:])
        found = [ring for feature in source for ring in feature.geometry.coordinates]
        assert [feature.properties['class'] for feature in source] == ['a', 'ä']
    assert len(found) == 3 and all(np.allclose(x, y) for x, y in zip(found, rings))
    assert np.allclose(rings[0][1], ROTATED * Affine.identity() @ (0, 9))
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name, 'scene.tif']


def test_geojson_names_registered_systems_and_converts_others(tmp_path: Path) -> None:
    out, transform = tmp_path / 'a.geojson', Affine(1000, 0, 0, 0, -1000, 0)
    written(out, coordinates(tmp_path, 'EPSG:32612', transform))
    name = json.loads(out.read_text())['crs']['properties']['name']
    assert name == 'urn:ogc:def:crs:EPSG::32612'
    written(out, coordinates(tmp_path, OWN, transform))
    found = json.loads(out.read_text())
    outer = found['features'][0]['geometry']['coordinates'][0]
    assert 'crs' not in found and outer[0] == pytest.approx([9, 50])
    assert outer[2] == pytest.approx([9.125, 49.919], abs=0.001)  # 9 km to the east and the south


def test_a_file_that_fails_leaves_the_older_one(tmp_path: Path) -> None:
    out = tmp_path / 'a.gpkg'
    system = coordinates(tmp_path, None, Affine.identity())
    written(out, system)
    before = out.read_bytes()
    with pytest.raises(KeyboardInterrupt), vector_file(out, system, ('label',)):
        raise KeyboardInterrupt
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name, 'scene.tif']
