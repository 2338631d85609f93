from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision.ops
from mmdet.models.dense_heads import FCOSHead
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from mmpatch.models.dense_heads import LargeImageFCOSHead, large_image_fcos_head
from mmpatch.models.losses import PatchFocalLoss


def head_of(cls: type[FCOSHead], **kwargs: Any) -> FCOSHead:
    settings = dict(num_classes=4, in_channels=8, feat_channels=8, stacked_convs=1)
    norm = dict(type='GN', num_groups=2)
    return cls(**settings, norm_cfg=norm, **kwargs)


def objects(count: int, side: int = 512) -> InstanceData:
    generator = torch.Generator().manual_seed(0)
    size = torch.rand(count, 2, generator=generator) * 200 + 4
    corner = torch.rand(count, 2, generator=generator) * side - 30
    return InstanceData(
        bboxes=torch.cat((corner, corner + size), dim=1),
        labels=torch.randint(4, (count,), generator=generator),
    )


@pytest.mark.parametrize('center_sampling', [False, True])
@pytest.mark.parametrize('pairs', [1, 5_000, 100_000, 1 << 30])
def test_assignment_in_chunks_equals_the_stock_one(
    monkeypatch: pytest.MonkeyPatch, center_sampling: bool, pairs: int
) -> None:
    monkeypatch.setattr(large_image_fcos_head, 'PAIRS_AT_ONCE', pairs)
    ours = head_of(LargeImageFCOSHead, center_sampling=center_sampling)
    stock = head_of(FCOSHead, center_sampling=center_sampling)
    side = 128 if pairs == 1 else 512
    sizes = [(side // s, side // s) for s in (4, 8, 16, 32, 64)]
    points = stock.prior_generator.grid_priors(sizes, device='cpu')
    instances = [objects(60, side), objects(0), objects(3, side)]
    expected_labels, expected_boxes = stock.get_targets(points, instances)
    labels, boxes = ours.get_targets(points, instances)
    assert sum(int((level != 4).sum()) for level in labels) > 20
    for got, reference, got_boxes, reference_boxes in zip(
        labels, expected_labels, boxes, expected_boxes
    ):
        assert torch.equal(got, reference)
        positive = reference != 4
        assert torch.equal(got_boxes[positive], reference_boxes[positive])


def test_assignment_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = FCOSHead._get_targets_single

    def spy(self: Any, instances: InstanceData, points: Any, *args: Any) -> Any:
        seen.append(len(instances) * len(points))
        return original(self, instances, points, *args)

    monkeypatch.setattr(FCOSHead, '_get_targets_single', spy)
    monkeypatch.setattr(large_image_fcos_head, 'PAIRS_AT_ONCE', 10_000)
    head = head_of(LargeImageFCOSHead)
    points = head.prior_generator.grid_priors(
        [(64, 64), (32, 32), (16, 16), (8, 8), (4, 4)], device='cpu'
    )
    head.get_targets(points, [objects(100)])
    assert len(seen) > 5 and max(seen) <= 10_000


def test_nms_a_class_at_a_time_is_exact_far_from_the_origin() -> None:
    """Two boxes of one class, 1e6 px from the origin, whose overlap decides by half a pixel."""
    head = head_of(LargeImageFCOSHead)
    base = torch.tensor([100_000.0, 100_000.0, 100_010.0, 100_010.0])
    boxes = torch.stack([base, base + torch.tensor([5.5, 0, 5.5, 0]), base, base])
    results = InstanceData(
        bboxes=boxes,
        scores=torch.tensor([0.9, 0.8, 0.7, 0.6]),
        labels=torch.tensor([79, 79, 79, 3]),
    )
    cfg = ConfigDict(nms=dict(type='nms', iou_threshold=0.3), max_per_img=10, min_bbox_size=-1)
    kept = head._bbox_post_process(results, cfg, rescale=False, img_meta={})
    assert kept.labels.tolist() == [79, 79, 3]  # IoU of the first two: 4.5 / 15.5 = 0.29
    assert torch.equal(kept.bboxes[0], base)
    cfg.max_per_img = 2
    kept = head._bbox_post_process(results, cfg, rescale=False, img_meta={})
    assert kept.scores.tolist() == pytest.approx([0.9, 0.8])


def test_nothing_found() -> None:
    head = head_of(LargeImageFCOSHead)
    empty = InstanceData(
        bboxes=torch.zeros(0, 4), scores=torch.zeros(0), labels=torch.zeros(0, dtype=torch.long)
    )
    cfg = ConfigDict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=10, min_bbox_size=-1)
    assert len(head._bbox_post_process(empty, cfg, rescale=False, img_meta={})) == 0


@pytest.mark.parametrize('loss_cls', [None, dict(type='FocalLoss', gamma=1.5)])
def test_the_focal_loss_runs_on_every_gpu(loss_cls: dict[str, Any] | None) -> None:
    head = head_of(LargeImageFCOSHead, loss_cls=loss_cls)
    assert type(head.loss_cls) is PatchFocalLoss
    assert head.loss_cls.gamma == (1.5 if loss_cls else head_of(FCOSHead).loss_cls.gamma)


def test_another_loss_stays() -> None:
    loss = dict(type='CrossEntropyLoss', use_sigmoid=True)
    assert type(head_of(LargeImageFCOSHead, loss_cls=loss).loss_cls).__name__ == 'CrossEntropyLoss'


def test_post_processing_on_a_gpu_that_mmcv_was_not_compiled_for(
    on_bare_gpu: Callable[[torch.Tensor], torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchvision's operator is asked, once for each class, and finds the same boxes."""
    head = head_of(LargeImageFCOSHead)
    cfg = ConfigDict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100)

    def found(move: Callable[[torch.Tensor], torch.Tensor]) -> InstanceData:
        results = objects(60)
        results.scores = move(torch.linspace(0.1, 0.9, 60))
        results.bboxes = move(results.bboxes)
        return head._bbox_post_process(results, cfg, img_meta={})

    expected = found(lambda tensor: tensor)
    asked: list[int] = []
    original = torchvision.ops.nms
    monkeypatch.setattr(torchvision.ops, 'nms', lambda *args: asked.append(1) or original(*args))
    got = found(on_bare_gpu)
    assert len(asked) == 4 and torch.equal(got.bboxes, expected.bboxes)
