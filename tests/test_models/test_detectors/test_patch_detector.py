"""Equalities of patch-wise FCOS with stock FCOS and with itself, in float64."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpatch.models.dense_heads import fcos_targets
from mmpatch.patching import Latent
from mmpatch.testing.shallow_detector import shallow_pair
from mmpatch.testing.tasks import BORDER_SIZES
from mmpatch.testing.tiny_detector import (
    STRIDES,
    build_detector,
    build_stock_detector,
    gradients,
    image,
    sample,
)


@pytest.fixture
def float64_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stock FCOS casts boxes to float32, which would hide differences below 1e-7; ours does not."""
    monkeypatch.setattr(torch.Tensor, 'float', lambda tensor: tensor)


def stock_pair(patch_size: int, **head: Any) -> tuple[nn.Module, nn.Module]:
    """Ours without global patch, and stock FCOS with the same weights."""
    ours = build_detector(patch_size=patch_size, global_patch=False, head=head)
    stock = build_stock_detector(patch_size=patch_size, head=head)
    stock.load_state_dict(ours.state_dict(), strict=True)
    return ours, stock


def as_stock(stock: Any, pictures: list[Tensor], samples: list[Any], training: bool) -> Any:
    """What stock FCOS reads, padded to one patch of 128 px."""
    data = dict(inputs=pictures, data_samples=copy.deepcopy(samples))
    found = stock.data_preprocessor(data, training)
    height, width = found['inputs'].shape[2:]
    found['inputs'] = F.pad(found['inputs'], (0, 128 - width, 0, 128 - height))
    return found


@pytest.mark.parametrize('loss_region', ['full', 'sampled'])
@pytest.mark.parametrize('sampling', [True, False])
@pytest.mark.parametrize(('height', 'width'), [(128, 128), (128, 97), (96, 128)])
@pytest.mark.usefixtures('float64_boxes')
def test_one_patch_gives_the_losses_of_stock_fcos(
    height: int, width: int, loss_region: str, sampling: bool
) -> None:
    ours, stock = stock_pair(128, loss_region=loss_region, center_sampling=sampling)
    pictures = [image(128, 128), image(height, width, seed=1)]
    samples = [sample(128, 128, 9), sample(height, width, 3, seed=1)]
    expected = as_stock(stock, pictures, samples, True)
    expected = stock.loss(expected['inputs'].double(), expected['data_samples'])
    got = ours.loss(pictures, samples)
    assert set(got) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, rtol=1e-12, atol=0)
    sum(expected.values()).backward()
    sum(got.values()).backward()
    reference, found = gradients(stock), gradients(ours)
    for name, grad in reference.items():
        torch.testing.assert_close(found[name], grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('centerness_on_reg', [True, False])
@pytest.mark.parametrize('norm_on_bbox', [True, False])
@pytest.mark.parametrize('training', [True, False])
def test_the_last_layers_are_those_of_the_host(
    training: bool, norm_on_bbox: bool, centerness_on_reg: bool
) -> None:
    settings = dict(norm_on_bbox=norm_on_bbox, centerness_on_reg=centerness_on_reg)
    ours, stock = (m.float().train(training) for m in stock_pair(64, **settings))
    x = torch.randn(2, 16, 8, 8)
    towers = [x, x]
    for i, layers in enumerate((ours.bbox_head.cls_convs, ours.bbox_head.reg_convs)):
        for layer in layers:
            towers[i] = layer(towers[i])
    found = ours.bbox_head.forward_single(tuple(towers), ours.bbox_head.scales[1], 16)
    expected = stock.bbox_head.forward_single(x, stock.bbox_head.scales[1], 16)
    for mine, reference in zip(found, expected, strict=True):
        assert torch.equal(mine, reference)


@pytest.mark.parametrize('objects', [0, 7])
@pytest.mark.usefixtures('float64_boxes')
def test_the_loss_is_that_of_the_host(objects: int) -> None:
    """Also with ignored regions: their background points are taken out of the host's loss by hand."""
    ours, stock = stock_pair(128)
    pixels, data = image(128, 128), sample(128, 128, objects, ignored=3)
    regions = data.ignored_instances.bboxes
    inputs = stock.data_preprocessor(
        dict(inputs=[pixels], data_samples=[copy.deepcopy(data)]), True
    )
    outs = stock.bbox_head(stock.extract_feat(inputs['inputs'].double()))
    points = stock.bbox_head.prior_generator.grid_priors(
        [x.shape[-2:] for x in outs[0]], dtype=torch.float64, device='cpu'
    )
    labels, _ = stock.bbox_head.get_targets(points, [data.gt_instances])
    scores = []
    for score, level, label in zip(outs[0], points, labels):
        x, y = level.unbind(1)
        inside = (x[:, None] >= regions[:, 0]) & (x[:, None] <= regions[:, 2])
        inside &= (y[:, None] >= regions[:, 1]) & (y[:, None] <= regions[:, 3])
        ignored = (inside.any(dim=1) & (label == stock.bbox_head.num_classes)).view(
            score.shape[-2:]
        )
        assert level.shape[0] < 100 or ignored.any()
        scores.append(score.masked_fill(ignored, -1e4))  # no loss and no gradient
    expected = stock.bbox_head.loss_by_feat(scores, *outs[1:], [data.gt_instances], [{}])
    found = ours.loss([pixels], [data])
    assert set(found) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=0)


def test_the_normalisers_are_means_over_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the host's loss: with twice the objects elsewhere, the losses here are divided by more."""
    model = build_detector(patch_size=64)
    pixels, data = [image(130, 100)], [sample(130, 100)]
    alone = model.loss(pixels, data)
    monkeypatch.setattr(fcos_targets, 'reduce_mean', lambda tensor: 1.5 * tensor)
    shared = model.loss(pixels, data)
    for name, value in alone.items():
        torch.testing.assert_close(shared[name] * 1.5, value, rtol=1e-6, atol=0)


@pytest.mark.parametrize(('height', 'width'), [(128, 128), (128, 97), (96, 120)])
def test_one_patch_gives_the_predictions_of_stock_fcos(height: int, width: int) -> None:
    ours, stock = (model.float().eval() for model in stock_pair(128))
    picture, data = image(height, width), sample(height, width, double=False)
    inputs = as_stock(stock, [picture], [data], False)
    with torch.no_grad():
        expected = stock.predict(inputs['inputs'], inputs['data_samples'])[0].pred_instances
        got = ours.predict([picture], [copy.deepcopy(data)])[0].pred_instances
    assert len(got) == len(expected) > 50
    torch.testing.assert_close(got.scores, expected.scores)
    torch.testing.assert_close(got.bboxes, expected.bboxes)
    assert torch.equal(got.labels, expected.labels)


def test_windows_of_theta2_equal_theta2_on_the_stitched_map() -> None:
    model = build_detector(patch_size=64, fuse=True).eval()
    head, count = model.bbox_head, len(STRIDES)
    batch = model.cut_images([image(200, 150)])
    grid = batch.grids[0]
    with torch.no_grad():
        latent, context = (
            Latent.fill(batch, model.encode, model.chunk_size),
            model.encode_global(batch),
        )
        got = head.maps(batch, latent, context, torch.arange(batch.num_patches))
        fused = []
        for level, maps in enumerate(latent.levels):
            stitched = grid.merge(maps, crop=False)[None]
            aggregator, added = head.aggregators[level // count], context[2 * count + level]
            torch.testing.assert_close(added, aggregator.conv_global(context[level]))
            around = resized_to_padded_image(added, grid, STRIDES[level % count])
            fused.append(F.relu(aggregator.conv_local(stitched) + around))
        expected = head(list(zip(fused[:count], fused[count:])))
    for kind, reference in zip(got, expected):
        for tiles, whole in zip(kind, reference):
            torch.testing.assert_close(grid.merge(tiles, crop=False)[None], whole)


def resized_to_padded_image(feature: Tensor, grid: Any, stride: int) -> Tensor:
    """A global map, resized to the image and continued by its border into the padding."""
    rows, cols = (n * grid.patch_size // stride for n in (grid.rows, grid.cols))
    height, width = (grid.patch_size / scale for scale in grid.global_scale)
    ys = (torch.arange(rows).double() + 0.5) * stride / height * 2 - 1
    xs = (torch.arange(cols).double() + 0.5) * stride / width * 2 - 1
    places = torch.stack(torch.meshgrid(xs, ys, indexing='xy'), dim=-1)[None].to(feature)
    return F.grid_sample(feature, places, padding_mode='border', align_corners=False)


@pytest.mark.parametrize(('height', 'width'), [(160, 97), (136, 120), (129, 127), (224, 200)])
def test_with_enough_halo_features_are_those_of_the_whole_image(height: int, width: int) -> None:
    """Padded to whole strides of 32 px only, as stock models do: at the border as elsewhere."""
    ours, _ = shallow_pair(patch_size=64, halo=32)
    picture = image(height, width)
    batch = ours.cut_images([picture])
    whole = F.pad(batch.to_input(picture[None]), (0, -width % 32, 0, -height % 32))
    with torch.no_grad():
        found = ours.encode(batch, batch.all_patches)
        expected = ours.bbox_head.towers(ours.extract_feat(whole))
    for tiles, reference in zip(found, expected):
        merged = batch.grids[0].merge(tiles, crop=False)
        rows, cols = reference.shape[2:]
        assert (merged[:, :rows, :cols] - reference[0]).norm() < 1e-9 * reference.norm()
        assert not merged[:, rows:].any() and not merged[:, :, cols:].any()


@pytest.mark.parametrize('halo', [0, 32])
@pytest.mark.parametrize(('height', 'width'), [(100, 130), *BORDER_SIZES])
def test_fill_equals_what_evaluation_computes(height: int, width: int, halo: int) -> None:
    model = build_detector(patch_size=64, halo=halo).train()
    batch = model.cut([image(height, width)], [sample(height, width)])
    filled = Latent.fill(batch, model.encode, model.chunk_size).levels
    expected = model.eval().encode(batch, torch.arange(batch.num_patches))
    assert filled[0].shape[-1] == 64 // STRIDES[0]
    for level, reference in zip(filled, expected):
        torch.testing.assert_close(level, reference.detach())


def test_a_halo_in_prediction_alone() -> None:
    ours, without, wide = (
        build_detector(patch_size=64, **halo)
        for halo in (dict(test_halo=32), dict(halo=0), dict(halo=32))
    )
    picture, labels = image(150, 130), sample(150, 130)
    found, expected = (model.eval()._forward([picture])[0] for model in (ours, wide))
    for level, reference in zip(found, expected):
        assert torch.equal(level, reference)
    losses, expected = (model.train().loss([picture], [labels]) for model in (ours, without))
    for name, value in expected.items():
        assert torch.equal(losses[name], value)


@pytest.mark.parametrize('settings', [dict(), dict(halo=32), dict(halo=32, blend=True)])
@pytest.mark.parametrize(('height', 'width'), BORDER_SIZES)
def test_maps_do_not_depend_on_chunks(height: int, width: int, settings: dict[str, Any]) -> None:
    model = build_detector(patch_size=64, **settings).eval()
    found = []
    for chunk in (1, 2, 100):
        model.chunk_size = chunk
        found.append([x for kind in model._forward([image(height, width)]) for x in kind])
    for maps in zip(*found):
        assert all((x - maps[0]).norm() <= 1e-9 * maps[0].norm() for x in maps)


@pytest.mark.parametrize('chunk', [1, 2, 100])
def test_predictions_do_not_depend_on_chunks(chunk: int) -> None:
    model = build_detector(patch_size=64, double=False).eval()
    picture, data = image(200, 150), sample(200, 150, double=False)
    with torch.no_grad():
        model.chunk_size = 4
        expected = model.predict([picture], [copy.deepcopy(data)])[0].pred_instances
        model.chunk_size = chunk
        got = model.predict([picture], [copy.deepcopy(data)])[0].pred_instances
    assert len(expected) > 50
    torch.testing.assert_close(got.bboxes, expected.bboxes, rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(got.scores, expected.scores, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures('float64_boxes')
def test_shares_of_disjoint_patches_add_up_to_the_loss_of_the_batch() -> None:
    model = build_detector(patch_size=64)
    batch = model.cut([image(130, 100), image(70, 64, seed=1)], [sample(130, 100), sample(70, 64)])
    latent, context = Latent.fill(batch, model.encode, model.chunk_size), model.encode_global(batch)
    whole = model.patch_losses(batch, latent, context, torch.arange(batch.num_patches))
    parts = [
        model.patch_losses(batch, latent, context, torch.tensor(part))
        for part in ([0, 3], [1], [2, 4, 5, 6, 7])
    ]
    for name, value in whole.items():
        torch.testing.assert_close(sum(part[name] for part in parts), value, rtol=1e-12, atol=0)


@pytest.mark.parametrize('objects', [0, 500])
def test_every_parameter_gets_a_finite_gradient(objects: int) -> None:
    model = build_detector(patch_size=64, fuse=True)
    sum(model.loss([image(130, 100)], [sample(130, 100, objects)]).values()).backward()
    found = gradients(model)
    missing = {n for n, p in model.named_parameters() if p.requires_grad} - set(found)
    assert not missing
    assert all(torch.isfinite(grad).all() for grad in found.values())
    for part in ('backbone', 'neck', 'bbox_head.cls_convs', 'bbox_head.aggregators'):
        assert sum(g.abs().sum() for n, g in found.items() if n.startswith(part)) > 0


def test_theta1_learns_from_local_and_from_global_patches() -> None:
    model = build_detector(patch_size=64, fuse=True)
    batch = model.cut([image(130, 100)], [sample(130, 100)])
    latent, everything = Latent.fill(batch, model.encode, 4), torch.arange(batch.num_patches)
    chosen = torch.tensor([0])
    pairs = zip(latent.levels, model.encode(batch, chosen))
    live = Latent.of_live(batch, tuple(old.index_copy(0, chosen, new) for old, new in pairs))
    fixed = tuple(x.detach() for x in model.encode_global(batch))
    sum(model.patch_losses(batch, live, fixed, everything).values()).backward()
    assert model.backbone.layer2[0].conv1.weight.grad.abs().sum() > 0
    model.zero_grad()
    sum(
        model.patch_losses(batch, latent, model.encode_global(batch), everything).values()
    ).backward()
    assert model.backbone.layer2[0].conv1.weight.grad.abs().sum() > 0


def test_points_in_ignored_regions_weigh_nothing() -> None:
    model = build_detector(patch_size=64)
    data = sample(128, 128, objects=0)
    data.ignored_instances.bboxes = torch.tensor([[0.0, 0.0, 128.0, 128.0]]).double()
    data.ignored_instances.labels = torch.zeros(1, dtype=torch.long)
    assert sum(model.loss([image(128, 128)], [data]).values()) < 1e-12
    half = copy.deepcopy(data)
    half.ignored_instances.bboxes[0, 2] = 64
    right = sample(128, 128, objects=0)
    latent_args = model.cut([image(128, 128)], [right])
    latent, context = Latent.fill(latent_args, model.encode, 4), model.encode_global(latent_args)
    expected = model.patch_losses(latent_args, latent, context, torch.tensor([1, 3]))
    got = model.loss([image(128, 128)], [half])
    torch.testing.assert_close(got['loss_cls'], expected['loss_cls'], rtol=1e-9, atol=0)


def test_objects_inside_an_ignored_region_are_still_learned() -> None:
    model = build_detector(patch_size=64)
    data = sample(128, 128, objects=5)
    region = copy.deepcopy(data)
    region.ignored_instances.bboxes = torch.tensor([[0.0, 0.0, 128.0, 128.0]]).double()
    region.ignored_instances.labels = torch.zeros(1, dtype=torch.long)
    plain, masked = model.loss([image(128, 128)], [data]), model.loss([image(128, 128)], [region])
    torch.testing.assert_close(plain['loss_bbox'], masked['loss_bbox'])
    assert 0 < masked['loss_cls'] < plain['loss_cls']


def test_batchnorm_stays_in_evaluation_mode_if_asked_to() -> None:
    norms = [nn.BatchNorm2d]
    backbone = dict(norm_eval=False)
    model = build_detector(patch_size=64)
    model.backbone.norm_eval = backbone['norm_eval']
    model.train()
    assert any(m.training for m in model.modules() if type(m) in norms)
    model.norm_eval = True
    model.train()
    assert not any(m.training for m in model.modules() if type(m) in norms)


def test_small_images_are_refused_in_training_and_padded_in_prediction() -> None:
    model = build_detector(patch_size=64, double=False)
    picture, data = image(40, 50), sample(40, 50, objects=1, double=False)
    with pytest.raises(ValueError, match='40 x 50 px is smaller than one patch of 64 px'):
        model.loss([picture], [data])
    model.small_images = 'pad'
    assert all(torch.isfinite(v) for v in model.loss([picture], [data]).values())
    found = model.eval().predict([picture], [data])[0].pred_instances
    assert found.bboxes[:, 2].max() <= 50 and found.bboxes[:, 3].max() <= 40


def test_an_image_without_a_scale_factor_was_not_resized() -> None:
    model = build_detector(patch_size=64, double=False).eval()
    picture, data = image(64, 96).float(), sample(64, 96, objects=1, double=False)
    with torch.no_grad():
        (known,) = model.predict([picture], [copy.deepcopy(data)])
        kept = {name: data.get(name) for name in data.metainfo_keys() if name != 'scale_factor'}
        (found,) = model.predict([picture], [type(data)(metainfo=kept)])
    assert len(known.pred_instances) > 0
    assert torch.equal(found.pred_instances.bboxes, known.pred_instances.bboxes)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(patch_size=100), 'patch_size=100 px is no multiple of the largest stride, 32 px'),
        (dict(test_halo=8), 'test_halo=8 px is no multiple of the largest stride, 32 px'),
        (dict(halo=8), r'halo=8 px is no multiple of .* \(8, 16, 32\)\): choose 0 or 32'),
        (dict(patch_size=40), r'choose 32 or 64'),
        (dict(patch_size=24), r'no multiple of .*\): choose 32'),
        (
            dict(patch_size=32, fuse=True),
            'read 2 cells of the neighbouring patch: use patch_size >= 64',
        ),
        (dict(chunk_size=0), 'chunk_size must be at least 1'),
        (dict(small_images='skip'), "small_images must be 'error' or 'pad'"),
        (dict(head=dict(normalise_by='patch')), "normalise_by must be 'iteration' or 'batch'"),
        (dict(head=dict(loss_region='half')), "loss_region must be 'full' or 'sampled'"),
        (
            dict(fuse=True, head=dict(aggregator=dict(kernel_size=2))),
            'kernel_size must be odd, got 2',
        ),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_detector(**settings)


def test_windows_are_moved_by_the_largest_stride_of_the_head() -> None:
    assert build_detector(patch_size=128).cut_images([image(130, 100)]).stride == max(STRIDES)
    with pytest.raises(TypeError, match=r'largest of bbox_head.strides: remove stride'):
        build_detector(stride=32)


def test_a_head_that_cannot_be_split() -> None:
    with pytest.raises(TypeError, match=r"RetinaHead cannot be split: .*'mmpatch.PatchStitched"):
        build_detector(head=dict(type='RetinaHead'))


def test_live_latent_is_plain_autograd() -> None:
    """The reference of all gradient tests: every patch live equals encoding all at once."""
    model = build_detector(patch_size=64)
    batch = model.cut([image(130, 100)], [sample(130, 100)])
    everything = torch.arange(batch.num_patches)
    features = model.encode(batch, everything)
    latent = Latent.of_live(batch, features)
    window = latent.windows(0, torch.tensor([0]), 1)
    assert window.requires_grad
    grad = torch.autograd.grad(window.sum(), features[0])[0]
    assert grad[0].sum() == features[0][0].numel()  # itself once
    assert grad[1].sum() == features[0].shape[1] * 8  # one column of its right neighbour
