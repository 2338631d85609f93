"""Sliced prediction: slices cover the image, and what several of them see is one object."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet.models.detectors import SingleStageDetector
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from mmpatch.models import SlicedDetector
from mmpatch.testing.tiny_detector import build, build_stock_detector, stock_detector_cfg

#: Boxes in the image [px] and their classes.
OBJECTS = torch.tensor([[4.0, 6, 30, 24], [40, 20, 75, 44], [41, 21, 76, 45], [85, 60, 100, 80]])
LABELS = torch.tensor([0, 0, 1, 2])


def sliced(**settings: Any) -> SlicedDetector:
    cfg = {**stock_detector_cfg(), 'type': 'mmpatch.SlicedDetector', 'slice_size': 64}
    return build({**cfg, **settings}, double=False).eval()


def see(detector: Any, part: Tensor, samples: list[DetDataSample], rescale: bool) -> Any:
    """Find all that a slice shows of the objects; pixels tell where the slice is."""
    assert part.shape == (1, 3, 64, 64) and not rescale
    height, width = samples[0].img_shape
    corner = part[0, :2, 0, 0]
    limits = torch.tensor([0, 0, width, height])
    low = (OBJECTS[:, :2] - corner).clamp(min=limits[:2])
    high = (OBJECTS[:, 2:] - corner).minimum(limits[2:])
    seen = (high > low).all(dim=1)
    boxes = torch.cat([low, high], 1)[seen]
    samples[0].pred_instances = InstanceData(
        bboxes=boxes, scores=0.5 + boxes[:, 2] / 1000, labels=LABELS[seen]
    )
    return samples


@pytest.mark.parametrize('size', [(80, 100), (64, 64), (40, 110)])
def test_objects_across_slices_are_found_once(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(SingleStageDetector, 'predict', see)
    height, width = size
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    image = torch.stack([x, y, x]).float()
    image = torch.nn.functional.pad(image, (0, 12, 0, 12))  # as a batch pads
    sample = DetDataSample(metainfo=dict(img_shape=size, ori_shape=size, scale_factor=(2.0, 4.0)))
    limits = torch.tensor([width, height, width, height])
    inside = (OBJECTS[:, :2] < limits[:2]).all(dim=1)
    expected = torch.minimum(OBJECTS, limits)[inside]
    (found,) = sliced(overlap_ratio=0.3, merge='greedy_nmm', match_metric='IOS').predict(
        image[None], [sample], rescale=True
    )
    boxes = found.pred_instances.bboxes * torch.tensor([2.0, 4.0, 2.0, 4.0])
    order = boxes[:, 0].argsort()
    assert torch.allclose(boxes[order], expected)
    assert found.pred_instances.labels[order].tolist() == LABELS[inside].tolist()
    scores = found.pred_instances.scores
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)


def test_it_is_the_stock_detector_but_for_the_slices() -> None:
    """Checkpoints fit; training is the same."""
    ours, stock = sliced().train(), build_stock_detector(double=False).train()
    ours.load_state_dict(stock.state_dict())
    sample = DetDataSample(
        metainfo=dict(img_shape=(64, 64), pad_shape=(64, 64)),
        gt_instances=InstanceData(bboxes=OBJECTS[:1], labels=LABELS[:1]),
    )
    sample.ignored_instances = InstanceData(bboxes=OBJECTS[:0])
    image = torch.rand(1, 3, 64, 64)
    assert ours.loss(image, [sample]) == stock.loss(image, [sample])


def test_predictions_of_a_small_model() -> None:
    sample = DetDataSample(metainfo=dict(img_shape=(90, 70), ori_shape=(90, 70)))
    nms = dict(type='nms', iou_threshold=0.5)
    model = sliced(test_cfg=dict(score_thr=0.0, nms_pre=50, max_per_img=20, nms=nms))
    (found,) = model.predict(torch.rand(1, 3, 96, 96), [sample])
    boxes = found.pred_instances.bboxes
    assert 0 < len(boxes) <= 20 and bool((boxes[:, 2] <= 70).all() and (boxes[:, 3] <= 90).all())


def test_the_better_of_two_boxes_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def see(_: Any, part: Tensor, samples: list[DetDataSample], rescale: bool) -> Any:
        boxes = torch.tensor([[0.0, 0, 20, 20], [1, 0, 21, 20], [30, 30, 40, 40]])
        samples[0].pred_instances = InstanceData(
            bboxes=boxes, scores=torch.tensor([0.5, 0.6, 0.4]), labels=torch.zeros(3, dtype=int)
        )
        return samples

    monkeypatch.setattr(SingleStageDetector, 'predict', see)
    size = (64, 64)
    sample = DetDataSample(metainfo=dict(img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0)))
    (found,) = sliced().predict(torch.zeros(1, 3, 64, 64), [sample])
    assert found.pred_instances.bboxes.tolist() == [[1, 0, 21, 20], [30, 30, 40, 40]]


def test_the_whole_image_shows_what_no_slice_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object larger than a slice is found in the downsampled image, at its place."""
    image = torch.zeros(3, 100, 200)
    image[:, 20:80, 30:190] = 1  # larger than any slice
    seen_sizes = []

    def see(_: Any, part: Tensor, samples: list[DetDataSample], rescale: bool) -> Any:
        assert part.shape == (1, 3, 64, 64) and not rescale
        height, width = samples[0].img_shape
        seen_sizes.append((height, width))
        assert not part[..., height:, :].any() and not part[..., width:].any()
        ys, xs = (part[0, 0] > 0.5).nonzero().T
        box = torch.tensor([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]]).float()
        samples[0].pred_instances = InstanceData(
            bboxes=box,
            scores=torch.tensor([0.9 if (height, width) == (32, 64) else 0.5]),
            labels=torch.zeros(1, dtype=int),
        )
        return samples

    monkeypatch.setattr(SingleStageDetector, 'predict', see)
    padded = torch.nn.functional.pad(image, (0, 24, 0, 28), value=1.0)  # must not be seen
    shapes = dict(img_shape=(100, 200), ori_shape=(100, 200), scale_factor=(1.0, 1.0))
    slices = []
    for whole_image in (False, True):
        seen_sizes.clear()
        (found,) = sliced(whole_image=whole_image).predict(
            padded[None], [DetDataSample(metainfo=shapes)]
        )
        slices.append(list(seen_sizes))
        best = found.pred_instances.bboxes[0]
        expected = torch.tensor([30.0, 20, 190, 80])
        assert ((best - expected).abs().max() <= 200 / 64) == whole_image
    assert slices[1] == [*slices[0], (32, 64)]
    # An image of one slice is not predicted twice.
    seen_sizes.clear()
    small = DetDataSample(metainfo=dict(img_shape=(64, 50), ori_shape=(64, 50)))
    sliced(whole_image=True).predict(torch.ones(1, 3, 64, 64), [small])
    assert seen_sizes == [(64, 50)]


def test_unknown_merging() -> None:
    with pytest.raises(ValueError, match='merge must be one of nms, greedy_nmm'):
        sliced(merge='vote')


@pytest.mark.parametrize('settings', [dict(slice_size=0), dict(overlap_ratio=1.0)])
def test_settings_that_make_no_slices(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match='slice_size must be positive and overlap_ratio in'):
        sliced(**settings)
