"""Pages of detections: what they count, how large they are, where they go."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.engine.hooks import DetVisualizationHook
from mmdet.registry import VISUALIZERS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData
from mmengine.visualization import Visualizer
from PIL import Image

from mmpatch.visualization import PatchDetVisualizer, detection_page
from mmpatch.visualization.canvas import Canvas, overlap
from mmpatch.visualization.detection_page import MISSED, PageLayout, draw_page, mark
from mmpatch.visualization.scene import Scene

GREY = 60


def grid_of_boxes(rows: int, cols: int, pitch: int = 40, side: int = 20) -> torch.Tensor:
    ys, xs = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing='ij')
    corner = torch.stack([xs, ys], dim=-1).reshape(-1, 2) * pitch + 10.0
    return torch.cat([corner, corner + side], dim=1)


def sample(missed: int = 3, false: int = 2, ignored: int = 0) -> DetDataSample:
    """24 objects; the first ``missed`` have no prediction above 0.3, ``false`` ones are added."""
    boxes = grid_of_boxes(4, 6)
    result = DetDataSample(metainfo=dict(img_path='folder/scene.png'))
    result.gt_instances = InstanceData(
        bboxes=HorizontalBoxes(boxes), labels=torch.zeros(24, dtype=torch.long)
    )
    far = torch.tensor([[300.0, 10, 320, 30]]) + 40 * torch.arange(false)[:, None]
    scores = torch.full((24 + false,), 0.8)
    scores[:missed] = 0.3
    result.pred_instances = InstanceData(
        bboxes=torch.cat([boxes + 1, far]),
        labels=torch.zeros(24 + false, dtype=torch.long),
        scores=scores,
    )
    if ignored:
        result.ignored_instances = InstanceData(
            bboxes=far[:ignored], labels=torch.zeros(ignored, dtype=torch.long)
        )
    return result


def image(height: int = 400, width: int = 500) -> np.ndarray:
    return np.full((height, width, 3), GREY, dtype=np.uint8)


@pytest.fixture
def visualizer() -> PatchDetVisualizer:
    result = PatchDetVisualizer()
    result.dataset_meta = dict(classes=('tree',), palette=[(34, 139, 34)])
    return result


@pytest.fixture
def scenes(monkeypatch: pytest.MonkeyPatch) -> list[Scene]:
    """Scenes that were drawn."""
    seen: list[Scene] = []

    def spy(image: np.ndarray, scene: Scene, layout: PageLayout) -> np.ndarray:
        seen.append(scene)
        return detection_page.draw_page(image, scene, layout)

    monkeypatch.setattr('mmpatch.visualization.patch_det_visualizer.draw_page', spy)
    return seen


@pytest.mark.parametrize(
    ('options', 'caption'),
    [
        ({}, '24 objects, 21 found, 3 missed, 2 false (score > 0.3, IoU >= 0.5)'),
        (
            dict(pred_score_thr=0.2),
            '24 objects, 24 found, 0 missed, 2 false (score > 0.2, IoU >= 0.5)',
        ),
        (dict(draw_gt=False), '23 predictions (score > 0.3)'),
        (dict(draw_pred=False), '24 objects'),
        (dict(draw_pred=False, draw_gt=False), 'no boxes to draw'),
    ],
)
def test_caption(
    visualizer: PatchDetVisualizer, scenes: list[Scene], options: dict[str, Any], caption: str
) -> None:
    visualizer.add_datasample('x', image(), sample(), **options)
    assert scenes[0].caption() == caption
    assert scenes[0].title == 'scene.png'


def test_caption_with_ignored_regions(visualizer: PatchDetVisualizer, scenes: list[Scene]) -> None:
    visualizer.add_datasample('x', image(), sample(ignored=1))
    assert '1 false, 1 in ignored regions' in scenes[0].caption()


def test_missed_objects_are_tinted_red_and_no_others(
    visualizer: PatchDetVisualizer, scenes: list[Scene]
) -> None:
    visualizer.add_datasample('x', image(), sample())
    canvas = Canvas(image())
    mark(canvas, scenes[0])
    middles = grid_of_boxes(4, 6).int()[:, :2] + 5
    tinted = [(canvas.pixels[y, x] != GREY).any() for x, y in middles.tolist()]
    assert tinted == [True] * 3 + [False] * 21
    x, y = middles[0].tolist()
    assert canvas.pixels[y, x, 0] > GREY + 50
    assert (canvas.pixels[10, 10] == MISSED).all()


@pytest.mark.parametrize('size', [(5000, 4000), (1100, 3300), (2000, 160)])
def test_overview_is_bounded_and_details_lie_in_the_image(
    monkeypatch: pytest.MonkeyPatch,
    visualizer: PatchDetVisualizer,
    scenes: list[Scene],
    size: tuple[int, int],
) -> None:
    views: list[tuple[Any, Canvas]] = []
    original = Canvas.view

    def view(image: np.ndarray, region: Any = None, scale: float = 1.0) -> Canvas:
        canvas = original(image, region, scale)
        views.append((region, canvas))
        return canvas

    monkeypatch.setattr(Canvas, 'view', view)
    visualizer.add_datasample('x', image(*size), sample())
    (_, overview), *details = views
    assert max(overview.pixels.shape) <= 1400
    regions = [region for region, _ in details]
    assert 1 <= len(regions) <= 4
    for (left, top, right, bottom), canvas in details:
        assert 0 <= left < right <= size[1]
        assert 0 <= top < bottom <= size[0]
        assert canvas.scale >= 1
    assert not any(overlap(a, b) for i, a in enumerate(regions) for b in regions[:i])
    assert max(visualizer._image.shape) < 2100


def test_small_images_are_drawn_whole_and_magnified(visualizer: PatchDetVisualizer) -> None:
    visualizer.add_datasample('x', image(400, 500), sample())
    height, width = visualizer._image.shape[:2]
    assert width == 2 * 500 + 24
    assert 2 * 400 < height < 2 * 400 + 160
    assert np.array_equal(visualizer.get_image(), visualizer._image)


def test_wider_than_matplotlib_can_draw(visualizer: PatchDetVisualizer) -> None:
    """A figure holds at most 65536 px a side."""
    strip = np.broadcast_to(np.uint8(GREY), (64, 70000, 3))
    visualizer.add_datasample('x', strip, sample())
    assert max(visualizer._image.shape) < 1500


def test_file_or_backends(
    tmp_path: Path, visualizer: PatchDetVisualizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, np.ndarray, int]] = []
    monkeypatch.setattr(visualizer, 'add_image', lambda *args: given.append(args))
    out = tmp_path / 'new' / 'page.png'
    visualizer.add_datasample('x', image(), sample(), out_file=str(out))
    assert given == []
    assert np.array_equal(np.asarray(Image.open(out)), visualizer._image)
    visualizer.add_datasample('val_img', image(), sample(), step=7)
    [(name, drawn, step)] = given
    assert (name, step) == ('val_img', 7)
    assert np.array_equal(drawn, visualizer._image)


def test_show(visualizer: PatchDetVisualizer, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(
        visualizer, 'show', lambda image, win_name, wait_time: shown.append(win_name)
    )
    visualizer.add_datasample('window', image(), sample(), show=True)
    assert shown == ['window']


def test_nothing_to_draw(visualizer: PatchDetVisualizer) -> None:
    empty = DetDataSample(
        pred_instances=InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long), scores=torch.zeros(0)
        ),
        gt_instances=InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
        ),
    )
    for data_sample in (None, DetDataSample(), empty):
        visualizer.add_datasample('x', image(1500, 1500).astype(np.float32), data_sample)
        assert (visualizer._image[-20:-12, 20:100] == GREY).all()


@pytest.mark.parametrize('palette', [None, [], [(34, 139, 34)]])
def test_more_classes_than_names_and_colours(scenes: list[Scene], palette: Any) -> None:
    data_sample = sample()
    data_sample.gt_instances.labels[:20] = torch.arange(20)
    visualizer = PatchDetVisualizer()
    visualizer.dataset_meta = dict(classes=('tree',), palette=palette)
    visualizer.add_datasample('x', image(), data_sample)
    assert len(set(scenes[0].colours)) == 20
    assert scenes[0].class_name(19) == 'class 19'


def test_bad_settings() -> None:
    with pytest.raises(ValueError, match=r'iou must lie in \(0, 1\], got 0'):
        PatchDetVisualizer(iou=0)
    with pytest.raises(ValueError, match='must be positive and max_details not negative'):
        PatchDetVisualizer(overview_side=0)


def test_no_details_when_told(scenes: list[Scene]) -> None:
    page = draw_page(image(1500, 1500), Scene('x', (), []), PageLayout(max_details=0))
    assert page.shape[1] == 1400 + 24


def test_built_by_its_name_as_the_runner_does(tmp_path: Path) -> None:
    visualizer = VISUALIZERS.build(
        dict(
            type='mmpatch.PatchDetVisualizer',
            name=f'named_{tmp_path.name}',
            vis_backends=[dict(type='LocalVisBackend')],
            save_dir=str(tmp_path),
            max_details=2,
        )
    )
    assert type(visualizer) is PatchDetVisualizer
    assert Visualizer.get_current_instance() is visualizer
    visualizer.add_datasample('val_img', image(), sample(), step=3)
    assert len(list(tmp_path.rglob('val_img_3.png'))) == 1


def test_under_the_hook_of_mmdet(tmp_path: Path) -> None:
    """What ``tools/test.py --show-dir`` does."""
    path = tmp_path / 'scene.png'
    Image.fromarray(image()).save(path)
    visualizer = PatchDetVisualizer.get_instance(f'hook_{tmp_path.name}')
    visualizer.dataset_meta = dict(classes=('tree',), palette=None)
    hook = DetVisualizationHook(draw=True, test_out_dir='show')
    output = sample()
    output.set_metainfo(dict(img_path=str(path)))
    hook.after_test_iter(SimpleNamespace(work_dir=str(tmp_path), timestamp='now'), 0, {}, [output])
    page = np.asarray(Image.open(tmp_path / 'now' / 'show' / 'scene.png'))
    assert np.array_equal(page, visualizer._image)
