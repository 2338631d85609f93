"""Objects shared out between the patches and the global patch."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from mmengine.structures import InstanceData

from mmpatch.models import frames
from mmpatch.models.dense_heads.fcos_targets import instances_by_patch
from mmpatch.models.frames import FrameSplit, SeenScales
from mmpatch.patching import Latent, PatchBatch, PatchGrid
from mmpatch.testing.tiny_detector import build_detector, image, sample


def boxes_of(*sides: float) -> InstanceData:
    """Objects of these widths, half as high."""
    boxes = torch.tensor([[10, 20, 10 + side, 20 + side / 2] for side in sides])
    return InstanceData(bboxes=boxes, labels=torch.arange(len(sides)))


def labelled(*sides: float) -> Any:
    data = sample(64, 64, 1, double=False)
    data.gt_instances = boxes_of(*sides)
    return data


def test_objects_go_to_the_frame_that_sees_them() -> None:
    split = FrameSplit(patch_size=64, stride=8, min_cells=3, max_share=0.75)
    batch: Any = PatchBatch([torch.zeros(3, 128, 64)], 64)  # global patch: half the size
    assert split.limits(batch.grids[0]) == (48, 48)
    (local,), (large,) = split(batch, [labelled(10, 48, 50, 120)])
    assert local.gt_instances.labels.tolist() == [0, 1]
    assert large.gt_instances.labels.tolist() == [1, 2, 3]
    assert large.gt_instances.bboxes[-1].tolist() == [5, 10, 65, 40]


def test_what_a_frame_does_not_learn_is_left_out_there() -> None:
    """In training it is handed over beside the ignored regions, in prediction it is dropped."""
    split = FrameSplit(patch_size=64, stride=8, min_cells=3)  # objects of 48 px and more
    batch: Any = PatchBatch([torch.zeros(3, 128, 64)], 64)
    data = labelled(10, 48, 47)
    data.ignored_instances = InstanceData(bboxes=torch.tensor([[0.0, 0, 100, 100]]), labels=[1])
    (local,), (large,) = split(batch, [data])
    assert local.ignored_instances.bboxes.tolist() == [[0, 0, 100, 100]]
    assert large.ignored_instances.bboxes.tolist() == [[0, 0, 50, 50]]
    assert len(local.left_out) == 0
    assert large.left_out.bboxes.tolist() == [[5, 10, 10, 12.5], [5, 10, 28.5, 21.75]]
    (grid,) = batch.grids
    found = split.from_global_patch(grid, boxes_of(5, 16, 17, 24))  # half the size
    assert found.labels.tolist() == [2, 3]
    assert split.from_patches(grid, boxes_of(5, 48, 49, 60)).labels.tolist() == [0, 1]
    (local,), _ = split(batch, [labelled(10, 49)])
    assert local.left_out.labels.tolist() == [1]


def test_background_does_not_count_where_an_object_is_left_out() -> None:
    """At the levels that would learn it, inside of its box. Another object there does count."""
    model: Any = build_detector(patch_size=64, global_frame=dict(min_cells=1, max_share=0.5))
    (grid,) = model.cut_images([image(128, 128)]).grids
    assert model.frames.limits(grid) == (16, 32)
    data = sample(128, 128, 2)
    small, large, tiny = [20.0, 20, 30, 30], [8.0, 8, 112, 112], [4.0, 4, 10, 10]
    data.gt_instances.bboxes = torch.tensor([small, large], dtype=torch.float64)
    batch = model.cut([image(128, 128)], [data])
    objects = batch.targets.labels < model.bbox_head.num_classes
    assert batch.targets.weights[objects].all() and objects[0].any()
    fine, middle, coarse = batch.targets.weights[0].split([64, 16, 4])  # of the first patch
    assert fine.all()  # its range ends at 32 px, and half of 104 px is more
    assert not middle.any() and not coarse.any()
    data.gt_instances.bboxes = torch.tensor([small, tiny], dtype=torch.float64)
    weights = model.cut([image(128, 128)], [data]).targets.weights
    assert weights[:4].all()
    assert (weights[4] == 0).nonzero().flatten().tolist() == [0, 9]  # both, in the global patch


@pytest.mark.parametrize('side', [40, 64, 65, 100, 400, 5000])
def test_no_object_is_lost_and_limits_follow_the_image(side: int) -> None:
    split = FrameSplit(patch_size=64, stride=8)
    batch: Any = PatchBatch([torch.zeros(1, side, side // 2)], 64)
    sizes = torch.linspace(1, side, 50).tolist()
    (local,), (large,) = split(batch, [labelled(*sizes)])
    both = set(local.gt_instances.labels.tolist()) | set(large.gt_instances.labels.tolist())
    assert both == set(range(50))
    shortest, longest = split.limits(batch.grids[0])
    assert shortest == pytest.approx(16 * side / 64, rel=0.02)
    assert longest == max(32, shortest)


def test_the_samples_themselves_stay_as_they_are() -> None:
    batch: Any = PatchBatch([torch.zeros(3, 128, 128)], 64)
    data = labelled(100)
    before = copy.deepcopy(data)
    FrameSplit(64, 8)(batch, [data])
    assert torch.equal(data.gt_instances.bboxes, before.gt_instances.bboxes)


def test_boxes_come_back_from_the_global_patch() -> None:
    grid = PatchGrid(100, 331, 64)  # of odd sizes: 19 x 64 px in the global patch
    split, batch = FrameSplit(64, 8, min_cells=0.1), PatchBatch([torch.zeros(3, 100, 331)], 64)
    data = labelled(100, 160)
    _, (large,) = split(batch, [data])
    found = split.from_global_patch(grid, large.gt_instances)
    torch.testing.assert_close(found.bboxes, data.gt_instances.bboxes, atol=1e-4, rtol=0)
    found = split.from_global_patch(grid, boxes_of(1000))
    assert found.bboxes.tolist() == [[pytest.approx(51.7, abs=0.1), 100, 331, 100]]


@pytest.mark.parametrize('settings', [dict(min_cells=0), dict(max_share=-1), dict(stride=0)])
def test_settings_that_are_not_positive(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match='needs a positive stride, min_cells and max_share, got'):
        FrameSplit(64, **{'stride': 8, **settings})  # type: ignore[arg-type]


def test_levels_that_leave_objects_to_no_frame() -> None:
    ranges = ((-1, 8), (8, 16), (16, 24))
    with pytest.raises(ValueError, match=r'no level learns boxes longer than 48 px.*up to 64 px'):
        build_detector(patch_size=64, head=dict(regress_ranges=ranges))
    build_detector(patch_size=64, head=dict(regress_ranges=ranges), global_frame=False, fuse=True)


def test_a_global_patch_for_nothing() -> None:
    with pytest.raises(ValueError, match='encodes the global patch for nothing'):
        build_detector(patch_size=64, fuse=False, global_frame=False)


@pytest.fixture
def float64_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stock FCOS casts boxes to float32, which would hide differences below 1e-7; ours does not."""
    monkeypatch.setattr(torch.Tensor, 'float', lambda tensor: tensor)


@pytest.mark.usefixtures('float64_boxes')
def test_losses_are_those_of_the_host_with_the_global_patch_as_one_more_image() -> None:
    everywhere = dict(min_cells=0.1, max_share=10)  # none is left out, as in stock FCOS
    model: Any = build_detector(patch_size=64, global_frame=everywhere).train()
    pictures, samples = [image(130, 100), image(64, 90, seed=1)], [sample(130, 100), sample(64, 90)]
    batch, local, large = model.cut_frames(pictures, samples)
    assert 0 < sum(len(s.gt_instances) for s in local) == sum(len(s.gt_instances) for s in large)
    batch = model.cut(pictures, samples)
    latent, everything = Latent.fill(batch, model.encode, 4), batch.all_patches
    global_features = model.encode_global(batch)
    maps = model.bbox_head.maps(batch, latent, global_features, everything)
    both = [
        [torch.cat(pair) for pair in zip(*kinds)]
        for kinds in zip(maps, model.bbox_head.global_maps(global_features))
    ]
    objects = instances_by_patch(batch, [s.gt_instances for s in local])
    objects += [s.gt_instances for s in large]
    expected = model.bbox_head.loss_by_feat(*both, objects, [{}] * len(objects))
    found = model.loss(pictures, samples)
    for name, value in expected.items():
        mine = found[name] + found[name.replace('loss_', 'loss_global_')]
        torch.testing.assert_close(mine, value, rtol=1e-12, atol=0)


def test_the_global_patch_of_an_image_of_one_patch_finds_nothing_new() -> None:
    """Both frames are the same window then, so NMS leaves what one of them finds."""
    with_frame, without = (
        build_detector(patch_size=128, double=False, global_patch=g).eval() for g in (True, False)
    )
    for model in (with_frame, without):  # empty boxes overlap with nothing, not even their like
        model.bbox_head.test_cfg.min_bbox_size = 1
    without.load_state_dict(with_frame.state_dict(), strict=False)
    picture, data = image(128, 128), sample(128, 128, double=False)
    with torch.no_grad():
        found, expected = (
            model.predict([picture], [copy.deepcopy(data)])[0].pred_instances
            for model in (with_frame, without)
        )
    assert len(found) == len(expected) > 5
    torch.testing.assert_close(found.bboxes, expected.bboxes, rtol=1e-4, atol=1e-3)


def test_the_global_patch_finds_what_is_larger_than_a_patch() -> None:
    """Its boxes come back in pixels of the image, and of the original image if asked for."""
    model: Any = build_detector(patch_size=64, double=False).eval()
    picture, data = image(256, 128), sample(256, 128, double=False)
    data.set_metainfo(dict(scale_factor=(0.5, 0.25)))
    batch = model.cut_images([picture])
    with torch.no_grad():
        outs = model.bbox_head.global_maps(model.encode_global(batch))
        inside = [[level.clone() for level in kind] for kind in outs]
        maps = model._forward([picture])
    for level in (*inside[0], *maps[0]):
        level[:] = -20  # nothing is found but one box, at the second cell of the last level
    inside[0][2][0, 1, 0, 1] = 20
    inside[1][2][0, :, 0, 1] = torch.tensor([10.0, 10.0, 10.0, 10.0])  # px of the global patch
    inside[2][2][:] = 20
    head, grid = model.bbox_head, batch.grids[0]
    local, large = head.candidates((256, 128)), head.candidates(grid.global_size)
    local.add(maps, batch.origins)
    large.add(inside, torch.zeros(1, 2))
    found = [
        head.post_process(
            model.frames.together(grid, local.all(), large.all()), data.metainfo, rescale
        )
        for rescale in (False, True)
    ]
    middle = torch.tensor([48.0, 16.0]) * 4  # 32 px cells, x before y
    expected = torch.cat([middle - 40, middle + 40])
    expected[0::2].clamp_(0, 128)
    assert found[0].labels.tolist() == [1]
    torch.testing.assert_close(found[0].bboxes[0], expected, atol=1e-3, rtol=0)
    original = expected / torch.tensor([0.5, 0.25, 0.5, 0.25])
    torch.testing.assert_close(found[1].bboxes[0], original, atol=1e-3, rtol=0)


def test_scales_that_training_never_saw_are_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(frames, 'print_log', lambda text, **_: said.append(text))
    scales = SeenScales()
    scales.check(PatchGrid(4096, 4096, 64))
    assert not said  # nothing is known yet
    scales.note([PatchGrid(256, 256, 64), PatchGrid(512, 100, 64)])
    scales.check(PatchGrid(600, 600, 64))
    assert not said
    for _ in range(2):
        scales.check(PatchGrid(1024, 1024, 64))
    (text,) = said
    assert '0.0625' in text and '0.125 to 0.25' in text
    again = SeenScales()
    again.load_state_dict(scales.state_dict())
    assert again.range.tolist() == [0.125, 0.25]
