"""Scenes of all tasks, from files to files: contents, resume, and what can go wrong."""

from __future__ import annotations

import csv
import errno
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import pytest
import rasterio
import shapely
import torch
from affine import Affine
from mmcv.ops import batched_nms

from mmpatch.apis import OutputOptions, PatchPredictor, parts, predict_scenes
from mmpatch.apis.boxes import Boxes
from mmpatch.apis.parts import Parts
from mmpatch.apis.predict_scenes import write_table
from mmpatch.testing import tiny_detector
from mmpatch.testing.tiny_detector import image

Trained = Callable[..., tuple[Path, Path]]
TASKS = ['detection', 'segmentation', 'classification']
EVERYTHING = dict(
    detection=OutputOptions(),
    segmentation=OutputOptions(polygons=True, overlay=True),
    classification=OutputOptions(explain=True),
)
FILES = dict(
    detection=['a.coco.json', 'a.geojson', 'a.gpkg'],
    segmentation=['a.labels.tif', 'a.overlay.png', 'a.polygons.geojson', 'a.polygons.gpkg'],
    classification=['a.relevance.tif'],
)
TRANSFORM = Affine(0.5, 0, 1000, 0, -0.5, 2000)


def visible(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith('.'))


def pixels_of(ring: Sequence[Any]) -> tuple[float, ...]:
    """Bounds of a polygon in pixels of the scene."""
    points = np.array([~TRANSFORM @ (float(x), float(y)) for x, y in ring])
    return (*points.min(axis=0), *points.max(axis=0))


@pytest.mark.parametrize('task', TASKS)
def test_an_interrupted_run_goes_on_and_ends_the_same(
    task: str, scene: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = PatchPredictor(*trained(task), device='cpu')
    options, folders = EVERYTHING[task], [tmp_path / 'once', tmp_path / 'twice']
    predict_scenes(predictor, {'a': str(scene)}, folders[0], options)
    original, saved = Parts.save, []

    def save(self: Parts, name: str | int, **arrays: Any) -> None:
        if name in (1, 3) and name not in saved:
            saved.append(name)
            raise KeyboardInterrupt
        original(self, name, **arrays)

    monkeypatch.setattr(Parts, 'save', save)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            predict_scenes(predictor, {'a': str(scene)}, folders[1], options, False)
        assert visible(folders[1]) == ['a.parts']
    first: list[int] = []
    encode = predictor.model.encode
    monkeypatch.setattr(
        predictor.model, 'encode', lambda b, i: (first.append(int(i.min())), encode(b, i))[1]
    )
    (result,) = predict_scenes(predictor, {'a': str(scene)}, folders[1], options, False)
    assert (
        result.state == 'done' and min(first) >= 3
    )  # a chunk with the row before the first missing one
    assert visible(folders[0]) == visible(folders[1]) == FILES[task]
    for name in FILES[task]:
        if not name.endswith('.gpkg'):  # it holds the time of writing
            assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


@pytest.mark.parametrize('task', TASKS)
def test_done_scenes_are_left_out_and_those_of_others_refused(
    task: str, scene: Path, trained: Trained, tmp_path: Path
) -> None:
    out, options = tmp_path / 'out', EVERYTHING[task]
    predictor = PatchPredictor(*trained(task), device='cpu')
    (first,) = predict_scenes(predictor, {'a': str(scene)}, out, options, False)
    (second,) = predict_scenes(predictor, {'a': str(scene)}, out, options, False)
    assert (first.state, second.state) == ('done', 'there')
    assert first.fields == second.fields and second.text == first.text in second.line
    other = PatchPredictor(*trained(task, seed=1), device='cpu')
    (third,) = predict_scenes(other, {'a': str(scene)}, out, options, False)
    assert third.state == 'failed' and 'are results of another model: write to' in third.text
    (out / FILES[task][0]).unlink()
    (fourth,) = predict_scenes(predictor, {'a': str(scene)}, out, options, False)
    assert fourth.state == 'done' and visible(out) == FILES[task]


def test_settings_of_the_suppression_count(scene: Path, trained: Trained, tmp_path: Path) -> None:
    files = trained('detection')
    predict_scenes(PatchPredictor(*files, device='cpu'), {'a': str(scene)}, tmp_path / 'out')
    options = {'model.test_cfg.score_thr': 0.1}
    other = PatchPredictor(*files, device='cpu', options=options)
    (result,) = predict_scenes(other, {'a': str(scene)}, tmp_path / 'out')
    assert 'results of another bbox_head.test_cfg ({' in result.text


def test_unknown_results_are_refused(scene: Path, trained: Trained, tmp_path: Path) -> None:
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/a.geojson').write_text('{}')
    predictor = PatchPredictor(*trained('detection'), device='cpu')
    (result,) = predict_scenes(predictor, {'a': str(scene)}, tmp_path / 'out')
    assert 'a.geojson exist, but nothing tells what they were made from' in result.text


@pytest.mark.parametrize('nms_pre', [-1, 5])
def test_detections_are_those_of_nms_over_all_candidates(
    nms_pre: int, scene: Path, trained: Trained, tmp_path: Path
) -> None:
    options = {'model.test_cfg.nms_pre': nms_pre}
    predictor = PatchPredictor(*trained('detection'), device='cpu', options=options)
    predict_scenes(predictor, {'a': str(scene)}, tmp_path / 'out')
    model, (height, width) = predictor.model, (300, 170)
    batch = model.cut_images([image(height, width)])
    candidates = [found for _, found in model.sweep_candidates(batch)]
    every = Boxes.cat([Boxes.of(x) for x in (*candidates, *model.global_candidates(batch))])
    kept = []
    for label in range(3):  # mmcv's shifts of classes would round
        own = every[every.labels == label]
        inputs = (torch.from_numpy(x) for x in (own.bboxes, own.scores, own.labels))
        kept.append(own[batched_nms(*inputs, dict(type='nms', iou_threshold=0.5))[1].numpy()])
    expected = Boxes.cat(kept)
    found = json.loads((tmp_path / 'out/a.coco.json').read_text())
    assert len(found) == len(expected) > (200 if nms_pre < 0 else 50)
    rows = [[*one['bbox'], one['score'], one['category_id']] for one in found]
    boxes = expected.bboxes.copy()
    boxes[:, 2:] -= boxes[:, :2]
    wanted = np.column_stack([boxes, expected.scores, expected.labels])
    assert np.allclose(sorted(rows), sorted(wanted.tolist()), atol=2e-3)


def test_vector_files_lie_on_the_ground(scene: Path, trained: Trained, tmp_path: Path) -> None:
    predictor = PatchPredictor(*trained('detection'), device='cpu')
    predict_scenes(predictor, {'a': str(scene)}, tmp_path / 'out')
    coco = json.loads((tmp_path / 'out/a.coco.json').read_text())
    assert {one['image_id'] for one in coco} == {'a'}
    for name in ('a.geojson', 'a.gpkg'):
        with fiona.open(tmp_path / 'out' / name) as source:
            assert source.crs.to_epsg() == 32612 and len(source) == len(coco)
            for feature, one in zip(source, coco):
                x, y, w, h = one['bbox']
                (ring,) = feature.geometry.coordinates
                assert np.allclose(pixels_of(ring), (x, y, x + w, y + h), atol=1e-3)
                label = one['category_id']
                assert dict(feature.properties) == pytest.approx(
                    {'label': label, 'class': 'abc'[label], 'score': one['score']}
                )


def test_polygons_cover_the_labels(
    scene: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmpatch.apis import polygons

    monkeypatch.setattr(polygons, 'STRIP', 128)
    predictor = PatchPredictor(*trained('segmentation'), device='cpu')
    predict_scenes(predictor, {'a': str(scene)}, tmp_path / 'out', EVERYTHING['segmentation'])
    with rasterio.open(tmp_path / 'out/a.labels.tif') as labels:
        counts = np.bincount(labels.read(1).ravel())
    for name in ('a.polygons.geojson', 'a.polygons.gpkg'):
        areas = np.zeros(len(counts))
        with fiona.open(tmp_path / 'out' / name) as source:
            for feature in source:
                outline, *holes = feature.geometry.coordinates
                area = shapely.Polygon(outline, holes).area / 0.25  # a pixel has 0.5 x 0.5 m
                areas[feature.properties['label']] += area
        assert np.allclose(areas, counts)


def test_labels_as_png(scene: Path, trained: Trained, tmp_path: Path) -> None:
    predictor, out = PatchPredictor(*trained('segmentation'), device='cpu'), tmp_path / 'out'
    options = OutputOptions(('geojson',), png=True, polygons=True)
    (result,) = predict_scenes(predictor, {'a': str(scene)}, out, options)
    assert visible(out) == ['a.labels.png', 'a.polygons.geojson']
    assert result.text.startswith('300 x 170 labels, ') and result.text.endswith(' polygons')
    with rasterio.open(out / 'a.labels.png') as labels:
        assert np.array_equal(labels.read(1), predictor(scene).pred_sem_seg.data[0])


def test_classes_and_relevance(scene: Path, trained: Trained, tmp_path: Path) -> None:
    predictor = PatchPredictor(*trained('classification'), device='cpu')
    scenes, out = {'a': str(scene), 'b': str(scene)}, tmp_path / 'out'
    table = write_table(out, predict_scenes(predictor, scenes, out, EVERYTHING['classification']))
    predictor.model.explain = True
    sample = predictor(scene)
    label = int(sample.pred_label)
    assert table is not None
    rows = list(csv.DictReader(table.open()))
    assert [row['scene'] for row in rows] == [str(scene)] * 2
    assert rows[0]['class'] == 'abcde'[label] and int(rows[0]['label']) == label
    assert float(rows[0]['score']) == pytest.approx(float(sample.pred_score[label]), abs=1e-5)
    with rasterio.open(out / 'a.relevance.tif') as found:
        assert found.shape == (5, 3) and found.crs.to_epsg() == 32612
        assert found.transform == Affine(32, 0, 1000, 0, -32, 2000)
        assert np.allclose(found.read(1), sample.patch_relevance.numpy())


def test_bad_scenes_are_named_and_the_others_go_on(
    scene: Path, trained: Trained, tmp_path: Path
) -> None:
    data = scene.read_bytes()
    (tmp_path / 'cut.tif').write_bytes(data[: len(data) // 2])
    paths = ['cut.tif', 'missing.tif', 'scene.tif']
    predictor = PatchPredictor(*trained('detection'), device='cpu')
    scenes = {Path(path).stem: str(tmp_path / path) for path in paths}
    results = predict_scenes(predictor, scenes, tmp_path / 'out')
    assert [result.state for result in results] == ['failed', 'failed', 'done']
    assert 'cut.tif' in results[0].text and 'FAILED: ' in results[0].line
    assert 'no image at' in results[1].text and ' detections (' in results[2].line
    assert not list((tmp_path / 'out').glob('*.parts'))
    (tmp_path / 'cut.tif').write_bytes(data)
    results = predict_scenes(predictor, scenes, tmp_path / 'out')
    assert [result.state for result in results] == ['done', 'failed', 'there']


@pytest.mark.parametrize('task', TASKS)
def test_a_full_disk_ends_the_run(
    task: str, scene: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = parts.write_atomic

    def full(path: Path, data: bytes) -> None:
        if path.name == '2.npz':
            raise OSError(errno.ENOSPC, 'No space left on device')
        write(path, data)

    monkeypatch.setattr(parts, 'write_atomic', full)
    predictor = PatchPredictor(*trained(task), device='cpu')
    with pytest.raises(
        OSError, match=r'the disk is full: 2 of 5 rows are kept in .*a\.parts; make'
    ):
        predict_scenes(predictor, {'a': str(scene), 'b': str(scene)}, tmp_path / 'out')


def test_a_scene_without_coordinates_stays_in_pixels(
    trained: Trained, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import mmcv

    path = tmp_path / '12.png'
    mmcv.imwrite(image(100, 120).numpy().transpose(1, 2, 0), str(path))
    predictor = PatchPredictor(*trained('detection'), device='cpu')
    predict_scenes(predictor, {'12': str(path)}, tmp_path / 'out')
    coco = json.loads((tmp_path / 'out/12.coco.json').read_text())
    found = json.loads((tmp_path / 'out/12.geojson').read_text())
    assert 'crs' not in found and coco[0]['image_id'] == 12
    x, y = found['features'][0]['geometry']['coordinates'][0][0]
    assert [x, y] == pytest.approx(coco[0]['bbox'][:2], abs=1e-4)


def test_detectors_that_need_whole_maps(scene: Path, trained: Trained, tmp_path: Path) -> None:
    from mmengine.config import Config

    cfg = tiny_detector.detector_cfg()
    head = {**cfg['bbox_head'], 'type': 'mmdet.FCOSHead'}
    stitched = {**cfg, 'type': 'mmpatch.PatchStitchedDetector', 'bbox_head': head}
    model = tiny_detector.build(stitched, 0, False).eval()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'stitched.pth')
    config = Config(dict(model=stitched, default_scope='mmdet'))
    predictor = PatchPredictor(config, tmp_path / 'stitched.pth', device='cpu')
    (result,) = predict_scenes(predictor, {'a': str(scene)}, tmp_path / 'out')
    found = predictor(image(300, 170).numpy().transpose(1, 2, 0)).pred_instances
    assert result.text == f'{len(found)} detections' and len(found) > 50


@pytest.mark.parametrize('options', [dict(polygons=True), dict(overlay=True), dict(explain=True)])
def test_options_of_another_task(
    options: dict[str, bool], scene: Path, trained: Trained, tmp_path: Path
) -> None:
    predictor = PatchPredictor(*trained('detection'), device='cpu')
    with pytest.raises(ValueError, match='but the model of this config does detection: leave it'):
        predict_scenes(predictor, {'a': str(scene)}, tmp_path / 'out', OutputOptions(**options))


def test_unknown_formats() -> None:
    with pytest.raises(ValueError, match=r"formats=\('shp',\): expected some of \('geojson'"):
        OutputOptions(('shp',))


def test_a_scene_in_an_archive(scene: Path, trained: Trained, tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / 'all.zip', 'w') as archive:
        archive.write(scene, 'inner.tif')
    predictor = PatchPredictor(*trained('classification'), device='cpu')
    inside = {'inner': f'/vsizip/{tmp_path}/all.zip/inner.tif'}
    (result,) = predict_scenes(predictor, inside, tmp_path / 'out')
    assert result.state == 'done'
