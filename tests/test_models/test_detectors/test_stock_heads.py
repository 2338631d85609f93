"""Detectors that know nothing of patches, patch by patch."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from mmengine.structures import InstanceData

from mmpatch.engine.gradients import build_gradient
from mmpatch.testing.tasks import Task, passes_of
from mmpatch.testing.tiny_detector import build, detector_cfg, image, sample

GN = dict(type='GN', num_groups=4, requires_grad=True)
RETINA = dict(
    type='RetinaHead',
    num_classes=3,
    in_channels=16,
    feat_channels=16,
    stacked_convs=1,
    anchor_generator=dict(
        type='AnchorGenerator',
        octave_base_scale=4,
        scales_per_octave=1,
        ratios=[1.0],
        strides=[8, 16, 32],
    ),
    bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
)
RETINA_TRAIN = dict(
    assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0),
    sampler=dict(type='PseudoSampler'),
    allowed_border=-1,
    pos_weight=-1,
)
YOLOX = dict(
    type='YOLOXHead', num_classes=3, in_channels=16, feat_channels=16, stacked_convs=1, norm_cfg=GN
)
CENTERNET = dict(
    type='CenterNetHead',
    num_classes=3,
    in_channels=16,
    feat_channels=16,
    loss_center_heatmap=dict(type='GaussianFocalLoss', loss_weight=1.0),
    loss_wh=dict(type='L1Loss', loss_weight=0.1),
    loss_offset=dict(type='L1Loss', loss_weight=1.0),
)
CENTERNET_NECK = dict(
    type='CTResNetNeck',
    in_channels=64,
    num_deconv_filters=(32, 16),
    num_deconv_kernels=(4, 4),
    use_dcn=False,
)
STOCK = {
    'retinanet': (
        'RetinaNet',
        dict(
            bbox_head=RETINA,
            train_cfg=RETINA_TRAIN,
            test_cfg=dict(
                nms_pre=100,
                score_thr=0.0,
                nms=dict(type='nms', iou_threshold=0.5),
                max_per_img=50,
            ),
        ),
    ),
    'yolox': (
        'YOLOX',
        dict(
            bbox_head=YOLOX,
            train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
            test_cfg=dict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.65)),
        ),
    ),
    'centernet': (
        'CenterNet',
        dict(
            bbox_head=CENTERNET,
            neck=CENTERNET_NECK,
            train_cfg=None,
            test_cfg=dict(topk=50, local_maximum_kernel=3, max_per_img=50),
        ),
    ),
}


def patch_wise(name: str, **overrides: Any) -> Any:
    cfg = detector_cfg(**overrides)
    cfg.update(STOCK[name][1], type='mmpatch.PatchStitchedDetector')
    if name == 'centernet':
        cfg['backbone'] = {**cfg['backbone'], 'out_indices': (3,)}
        cfg['global_frame'] = {**cfg['global_frame'], 'stride': 8}
    return build(cfg, double=False)  # mmdet's anchors are float32


def stock(name: str) -> Any:
    cfg = detector_cfg()
    del cfg['patch_size'], cfg['global_frame']
    cfg.update(STOCK[name][1], type=STOCK[name][0])
    cfg['data_preprocessor'] = {**cfg['data_preprocessor'], 'type': 'mmdet.DetDataPreprocessor'}
    if name == 'centernet':
        cfg['backbone'] = {**cfg['backbone'], 'out_indices': (3,)}
    return build(cfg, double=False)


@pytest.mark.parametrize('name', STOCK)
def test_one_patch_is_the_stock_detector(name: str) -> None:
    ours, other = patch_wise(name, patch_size=128, global_patch=False).train(), stock(name).train()
    ours.load_state_dict(other.state_dict(), strict=True)
    pixels, data = image(128, 128), sample(128, 128, 4, double=False)
    data.set_metainfo(dict(pad_shape=(128, 128), batch_input_shape=(128, 128)))
    data.set_metainfo(dict(border=(0, 128, 0, 128)))
    pre = other.data_preprocessor
    inputs = (pixels[None].flip(1).float() - pre.mean) / pre.std
    found, expected = ours.loss([pixels], [data]), other.loss(inputs, [data])
    assert set(found) == set(expected)
    for key, value in expected.items():
        parts = value if isinstance(value, list) else [value]
        mine = found[key] if isinstance(value, list) else [found[key]]
        for a, b in zip(mine, parts, strict=True):
            assert torch.allclose(a, b, rtol=1e-5), key
    boxes = [
        ours.eval().predict([pixels], [data])[0].pred_instances,
        other.eval().predict(inputs, [data])[0].pred_instances,
    ]
    assert len(boxes[0]) == len(boxes[1]) > 0
    assert torch.allclose(boxes[0].bboxes, boxes[1].bboxes, atol=1e-3)


@pytest.mark.parametrize('name', STOCK)
@pytest.mark.parametrize('gradient', ['exact', 'sampled'])
def test_the_gradient_is_that_of_autograd(name: str, gradient: str) -> None:
    """Images of different sizes; float32, as mmdet's anchors are."""
    model = patch_wise(name, patch_size=64, norm_eval=True).train()
    images = [image(130, 100), image(64, 128, seed=1)]
    samples = [sample(130, 100, 4, double=False), sample(64, 128, 3, seed=1, double=False)]
    loss, _ = model.parse_losses(model.loss(images, samples))
    loss.backward()
    expected = {k: p.grad.clone() for k, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    task = Task(name, lambda: model, lambda: samples, images=lambda: images)
    passes = passes_of(task, model, every=1_000)
    build_gradient(dict(type=gradient, chunk_size=2))(passes, [passes.batch.all_patches])
    for key, parameter in model.named_parameters():
        if key in expected:
            error = (parameter.grad * 1_000 - expected[key]).norm()
            assert error <= 1e-4 * expected[key].norm().clamp(min=1e-3), key


def test_the_global_patch_is_one_more_image_of_the_batch() -> None:
    """Its losses are divided by the objects of both, which is exact where objects have one positive."""
    model = patch_wise('centernet', patch_size=128).train()
    pixels, data = image(128, 128), sample(128, 128, 6, double=False)
    boxes = data.gt_instances.bboxes
    longest = (boxes[:, 2:] - boxes[:, :2]).amax(dim=1).sort().values
    limit = float(longest[3:5].mean())  # two objects are in the global patch alone
    model.frames.max_share, model.frames.min_cells = limit / 128, limit / model.frames.stride
    batch = model.cut([pixels], [data])
    targets = batch.targets
    assert [len(s[0].gt_instances) for s in (targets.images, targets.global_patches)] == [4, 2]
    losses = model.loss([pixels], [data])
    maps = [torch.cat([level, level]) for level in model.encode_global(batch)]
    expected = model.bbox_head.loss(tuple(maps), [*targets.images, *targets.global_patches])
    for name, value in expected.items():
        found = losses[name] + losses[name.replace('loss', 'loss_global', 1)]
        assert torch.allclose(found, value, rtol=1e-5), name


@pytest.mark.parametrize('name', STOCK)
def test_the_global_patch_is_an_image_of_its_own(name: str) -> None:
    """Losses and boxes of an image of one patch are those of the head on twice the same image."""
    model = patch_wise(name, patch_size=128).train()
    pixels, data = image(128, 128), sample(128, 128, 4, double=False)
    model.frames.min_cells, model.frames.max_share = 0.1, 10  # all objects belong to both
    losses = model.loss([pixels], [data])
    halves = [{k: v for k, v in losses.items() if ('global' in k) == g} for g in (True, False)]
    large, small = (float(model.parse_losses(part)[0].detach()) for part in halves)
    assert large == pytest.approx(small, rel=1e-5) and small > 0
    frames, model.frames = model.frames, None
    alone, _ = model.parse_losses(model.loss([pixels], [data]))
    assert large + small == pytest.approx(float(alone.detach()), rel=1e-5)
    model.frames = frames
    model.eval()
    found = model.predict([pixels], [data])[0].pred_instances
    model.frames = None
    alone = model.predict([pixels], [data])[0].pred_instances
    best = alone.scores.argmax()
    assert (found.bboxes - alone.bboxes[best]).abs().amax(dim=1).min() < 1e-3


def test_parts_of_large_objects_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame keeps what it learnt; boxes of both are in pixels of the original image if asked for."""
    model = patch_wise('retinanet', patch_size=128).eval()
    model.frames.min_cells, model.frames.max_share = 1, 0.5  # patches: up to 64 px
    shown = InstanceData(
        bboxes=torch.tensor([[0.0, 0, 60, 40], [70, 0, 140, 40]]),
        scores=torch.tensor([0.9, 0.8]),
        labels=torch.tensor([0, 1]),
    )
    monkeypatch.setattr(model.bbox_head, 'predict', lambda *_, **__: [copy.deepcopy(shown)])
    picture, data = image(256, 256), sample(256, 256, double=False)
    data.set_metainfo(dict(scale_factor=(0.5, 2.0)))
    batch = model.cut_images([picture])
    for rescale, factor in ((False, [1, 1, 1, 1]), (True, [2, 0.5, 2, 0.5])):
        (found,) = model.detect(batch, [data.metainfo], rescale)
        # The first as it is, and both out of the global patch, at twice the size.
        expected = torch.cat([shown.bboxes[:1], shown.bboxes * 2]).clamp(max=256)
        expected = expected * torch.tensor(factor)
        torch.testing.assert_close(sorted(found.bboxes.tolist()), sorted(expected.tolist()))


def test_a_batch_is_predicted_as_its_images_alone() -> None:
    model = patch_wise('retinanet', patch_size=64, fuse=True).eval()
    model.chunk_size = 5
    images = [image(130, 100), image(64, 90, seed=1)]
    samples = [sample(130, 100), sample(64, 90)]
    together = model.predict(images, samples)
    for one, data, found in zip(images, samples, together):
        (alone,) = model.predict([one], [data.clone()])
        assert len(alone.pred_instances) > 0
        torch.testing.assert_close(found.pred_instances.scores, alone.pred_instances.scores)
        torch.testing.assert_close(found.pred_instances.bboxes, alone.pred_instances.bboxes)


def test_a_head_that_does_not_tell_its_strides() -> None:
    cfg = detector_cfg(patch_size=64)
    cfg.update(STOCK['centernet'][1], type='mmpatch.PatchStitchedDetector')
    with pytest.raises(ValueError, match=r'set model.global_frame=dict\(stride=...\)'):
        build(cfg)


def test_a_stride_larger_than_the_model_says() -> None:
    model = patch_wise('retinanet', patch_size=64, stride=8).train()
    with pytest.raises(ValueError, match=r'into maps of \[2, 4, 8\] cells .*: set stride=32 in'):
        model.loss([image(128, 128)], [sample(128, 128, 2, double=False)])


def test_a_patch_size_that_strides_do_not_divide() -> None:
    model = patch_wise('retinanet', patch_size=72).train()
    with pytest.raises(
        ValueError, match=r'windows of 72 px maps whose sides divide 72; .*\(9, 9\)'
    ):
        model.loss([image(144, 144)], [sample(144, 144, 2, double=False)])
