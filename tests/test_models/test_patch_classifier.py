"""Classification patch by patch: equal to stock where it must be, and what can go wrong."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from mmpatch.engine.gradients import ExactGradient, build_gradient
from mmpatch.models.classifiers import background, grid_network
from mmpatch.patching import Latent
from mmpatch.testing import shallow_detector  # noqa: F401  registers a backbone
from mmpatch.testing.tasks import BORDER_SIZES, Task, passes_of
from mmpatch.testing.tiny_classifier import (
    BACKBONE,
    CNN,
    build,
    build_classifier,
    sample,
    stock_classifier_cfg,
)
from mmpatch.testing.tiny_detector import image


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm().clamp(min=1e-30))


def stock_inputs(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Normalised and padded with zeros to one patch of 64 px."""
    x = pixels[None].flip(1).double()
    mean, std = model.data_preprocessor.mean, model.data_preprocessor.std
    return F.pad((x - mean) / std, (0, 64 - x.shape[3], 0, 64 - x.shape[2]))


@pytest.mark.parametrize(('height', 'width'), [(64, 64), (64, 33), (32, 64)])
def test_one_patch_is_the_stock_classifier(
    height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loss, gradients and scores, with the average as theta2."""
    monkeypatch.setattr(torch.Tensor, 'float', torch.Tensor.double)
    ours = build_classifier(theta2=None, global_patch=False).train()
    stock = build(stock_classifier_cfg()).train()
    stock.load_state_dict(ours.state_dict())
    pixels = image(height, width)
    losses = [
        ours.loss([pixels], [sample(3)])['loss'],
        stock.loss(stock_inputs(stock, pixels), [sample(3)])['loss'],
    ]
    assert float((losses[0] - losses[1]).detach().abs()) < 1e-12
    for loss in losses:
        loss.backward()
    for (name, a), b in zip(ours.named_parameters(), stock.parameters()):
        assert relative(a.grad, b.grad) < 1e-9, name
    scores = [
        ours.eval().predict([pixels])[0].pred_score,
        stock.eval().predict(stock_inputs(stock, pixels))[0].pred_score,
    ]
    assert relative(*scores) < 1e-12


@pytest.mark.parametrize('theta2', [None, CNN, BACKBONE], ids=['mean', 'cnn', 'backbone'])
@pytest.mark.parametrize('fusion', ['add', 'concat'])
def test_images_of_all_sizes_at_once(theta2: Any, fusion: str) -> None:
    """Grids of different shapes in a batch give what each image gives alone."""
    model = build_classifier(theta2=theta2, fusion=fusion, double=False).eval()
    images = [image(130, 300), image(64, 90, seed=1), image(130, 300, seed=2), image(20, 30)]
    together = model(images)
    alone = torch.cat([model([x]) for x in images])
    assert torch.allclose(together, alone, atol=1e-6) and together.shape == (4, 5)
    losses = [
        model.loss(images, [sample(i) for i in range(4)])['loss'],
        torch.stack([model.loss([x], [sample(i)])['loss'] for i, x in enumerate(images)]).mean(),
    ]
    assert torch.allclose(*losses, atol=1e-6)


@pytest.mark.parametrize('halo', [0, 32])
@pytest.mark.parametrize('size', [(130, 300), *BORDER_SIZES])
def test_chunks_change_nothing(size: tuple[int, int], halo: int) -> None:
    models = [build_classifier(chunk_size=chunk, halo=halo).eval() for chunk in (1, 7)]
    scores = [m.predict([image(*size)])[0].pred_score for m in models]
    assert relative(*scores) < 1e-9


@pytest.mark.parametrize('size', [(160, 97), (136, 120), (129, 127), (224, 200)])
def test_with_enough_halo_entries_are_means_over_the_whole_image(size: tuple[int, int]) -> None:
    """A shallow backbone without norms, on the image padded to whole strides of 32 px only."""
    shallow = dict(type='mmdet.ShallowBackbone')
    model = build_classifier(backbone=shallow, global_patch=False, halo=32).eval()
    pixels = image(*size)
    batch = model.cut_images([pixels])
    padding = (0, -size[1] % 32, 0, -size[0] % 32)
    with torch.no_grad():
        (found,) = model.encode(batch, batch.all_patches)
        whole = model.backbone(F.pad(batch.to_input(pixels[None]), padding))[-1]
    grid = batch.grids[0]
    beyond = (0, grid.cols * 2 - whole.shape[3], 0, grid.rows * 2 - whole.shape[2])
    expected = F.avg_pool2d(F.pad(whole, beyond), 2)[0]
    assert relative(grid.merge(found, crop=False), expected) < 1e-9


def test_vectors_of_a_backbone_describe_the_window() -> None:
    model = build_classifier(neck=None, double=False).eval()
    backbone = model.backbone.forward
    model.backbone.forward = lambda x: (backbone(x)[-1].amax(dim=(2, 3)),)
    batch = model.cut_images([image(130, 100)])
    (found,) = model.encode(batch, batch.all_patches)
    windows = model.backbone(batch.read(batch.all_patches))[-1]
    assert torch.equal(found[:, :, 0, 0], windows)


def test_the_fill_is_what_evaluation_computes() -> None:
    model = build_classifier(double=False).eval()
    pixels = image(130, 300)
    ((maps, _),) = model._entries([pixels])
    for chunk in (1, 4, 100):
        batch = model.cut_images([pixels])
        latent = Latent.fill(batch, model.encode, chunk)
        assert torch.allclose(model._latent_map(batch, latent, 0), maps[0], atol=1e-6)


def batch_passes(model: Any, images: list[Any], samples: list[Any]) -> Any:
    task = Task('', lambda: model, lambda: samples, images=lambda: images)
    return passes_of(task, model, every=1_000)


@pytest.mark.parametrize('gradient', ['sampled', 'exact'])
@pytest.mark.parametrize('theta2', [None, CNN, BACKBONE], ids=['mean', 'cnn', 'backbone'])
def test_both_parts_get_gradient(gradient: str, theta2: Any) -> None:
    model = build_classifier(theta2=theta2).train()
    passes = batch_passes(model, [image(130, 300)], [sample(2)])
    build_gradient(gradient)(passes, [torch.tensor([3])])
    for part in (model.backbone.conv1, model.backbone, model.aggregator, model.head):
        grads = [] if part is None else [p.grad for p in part.parameters()]
        assert all(bool(grad.isfinite().all()) for grad in grads)
        assert part is None or any(bool(grad.any()) for grad in grads)


def test_the_global_patch_matters() -> None:
    pixels = image(130, 300)
    scores = [build_classifier(global_patch=g).eval()([pixels]) for g in (True, False)]
    assert not torch.allclose(*scores)


def with_background() -> torch.Tensor:
    """130 x 200 px, a grid of 3 x 4 patches of which the first row and the last column are black."""
    pixels = torch.full((3, 130, 200), 5, dtype=torch.uint8)
    pixels[:, 64:, :192] = image(66, 192)
    return pixels


def test_background_is_left_out() -> None:
    model = build_classifier(background=dict(value=0, tolerance=20))
    batch = model.eval().cut_images([with_background()])
    assert batch.places.tolist() == [4, 5, 6, 8, 9, 10]
    assert batch.neighbours[0].tolist() == [-1, -1, -1, -1, 0, 1, -1, 3, 4]
    assert torch.equal(batch.origins[3], torch.tensor([128, 0]))
    plain = model.cut_images([with_background()])
    model.background = None
    everything = model.cut_images([with_background()])
    assert torch.equal(plain.read(torch.arange(6)), everything.read(plain.places))


def test_background_has_zero_entries_and_the_rest_its_gradient() -> None:
    model = build_classifier(background=dict(value=0, tolerance=20)).train()
    images, samples = [with_background(), image(64, 64)], [sample(3), sample(0)]
    model.loss(images, samples)['loss'].backward()
    expected = {name: p.grad for name, p in model.named_parameters()}
    batch = model.cut(images, samples)
    latent = Latent.fill(batch, model.encode, 2)
    z = model._latent_map(batch, latent, 0)
    assert z.shape == (32, 3, 4) and (z.abs().sum(0) > 0).int().tolist() == [
        [0, 0, 0, 0],
        [1, 1, 1, 0],
        [1, 1, 1, 0],
    ]
    model.zero_grad()
    ExactGradient(2)(batch_passes(model, images, samples))
    for name, parameter in model.named_parameters():
        assert relative(parameter.grad * 1_000, expected[name]) < 1e-9, name


def test_all_background(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(background, 'print_log', lambda text, **_: said.append(text))
    model = build_classifier(background=dict(value=255), double=False).eval()
    black, white = (
        torch.zeros(3, 130, 200).byte(),
        torch.full((3, 130, 200), 250, dtype=torch.uint8),
    )
    assert model([black, white]).isfinite().all()
    assert said == [
        'an image of 130 x 200 px is all background (255 +- 16): one patch of it is kept'
    ]
    with pytest.raises(ValueError, match='tolerance must not be negative'):
        build_classifier(background=dict(tolerance=-1))


def test_labels_that_are_no_class() -> None:
    model = build_classifier().train()
    with pytest.raises(
        ValueError, match=r'b.png has the label \[5\], but the 5 classes are 0 to 4'
    ):
        model.loss([image(64, 64)], [sample(5, 'b.png')])


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="fusion must be 'add' or 'concat', got 'mul'"):
        build_classifier(fusion='mul')
    with pytest.raises(ValueError, match='num_layers must be at least 1'):
        build_classifier(theta2={**CNN, 'num_layers': 0})
    model = build_classifier(aggregator={**CNN, 'in_channels': 9}).train()
    with pytest.raises(ValueError, match=r'in_channels=9, but Z with fusion=.add. has 32 channels'):
        model.loss([image(64, 64)], [sample(0)])


def test_different_grids_and_batch_norm() -> None:
    norm = dict(type='BN', requires_grad=True)
    model = build_classifier(theta2={**CNN, 'norm_cfg': norm}).train()
    labels = [sample(0), sample(1)]
    with pytest.raises(ValueError, match=r'grids \[\(1, 1\), \(3, 2\)\].*use images of one size'):
        model.loss([image(130, 100), image(64, 64)], labels)
    model.loss([image(130, 100), image(130, 100)], labels)


def test_theta2_that_needs_a_larger_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """GroupNorm with one channel a group needs more than one place."""
    narrow = {**BACKBONE, 'base_channels': 2, 'in_channels': 32}
    head = dict(type='LinearClsHead', num_classes=5, in_channels=16)
    model = build_classifier(aggregator=narrow, head=head).train()
    with pytest.raises(ValueError, match=r'grid of 3 x 2 patches, but ResNet needs at least 5 x 5'):
        model.loss([image(130, 100)], [sample(0)])
    model.loss([image(320, 300)], [sample(0)])
    monkeypatch.setattr(grid_network, 'TRIED_GRIDS', 3)
    with pytest.raises(ValueError, match=r'ResNet as theta2 takes no grid up to 3 x 3'):
        build_classifier(aggregator=narrow, head=head)


def test_relevance_is_zero_where_nothing_matters() -> None:
    """With the average as theta2 the logit is linear in Z, so relevances add up to it."""
    model = build_classifier(theta2=None, global_patch=False).eval()
    model.explain = True
    found = model.predict([image(130, 200)])[0]
    assert found.patch_relevance.shape == (3, 4) and found.patch_side == 64
    logits = model([image(130, 200)])[0]
    expected = logits[found.pred_label] - model.head.fc.bias[found.pred_label]
    assert relative(found.patch_relevance.sum(), expected[0]) < 1e-9
    with_blank = build_classifier(background=dict(value=0, tolerance=20)).eval()
    with_blank.explain = True
    relevance = with_blank.predict([with_background()])[0].patch_relevance
    assert float(relevance[0].abs().sum()) == 0 and float(relevance[1].abs().sum()) > 0
