"""Equalities of the patch-wise segmentor against stock segmentors and whole images."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from torch import Tensor

from mmpatch.models.segmentors.label_maps import LabelMaps
from mmpatch.patching import Latent, PatchBatch
from mmpatch.testing.tiny_detector import gradients, image
from mmpatch.testing.tiny_segmentor import (
    DEEPLABV3,
    UNET,
    build,
    build_segmentor,
    sample,
    stock_segmentor_cfg,
)

BASES = [pytest.param(UNET, 1, id='unet'), pytest.param(DEEPLABV3, 3, id='deeplabv3')]


@pytest.fixture(autouse=True)
def float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stock code casts to float32, which would hide differences below 1e-7."""
    monkeypatch.setattr(torch.Tensor, 'float', lambda tensor: tensor.double())


def with_the_weights_of(stock: Any, ours: Any) -> None:
    """Give the stock model the weights of ours, its class layer the product of the two of ours."""
    weights = ours.state_dict()
    first = weights.pop('decode_head.conv_seg.weight'), weights.pop('decode_head.conv_seg.bias')
    last = weights.pop('aggregator.conv.weight'), weights.pop('aggregator.conv.bias')
    mix = last[0][:, :, 0, 0]
    weights['decode_head.conv_seg.weight'] = (mix @ first[0][:, :, 0, 0])[:, :, None, None]
    weights['decode_head.conv_seg.bias'] = mix @ first[1] + last[1]
    stock.load_state_dict(weights)


def as_stock(stock: Any, picture: Tensor, label: Any) -> dict[str, Any]:
    found: dict[str, Any] = stock.data_preprocessor(
        dict(inputs=[picture], data_samples=[label]), True
    )
    return found


@pytest.mark.parametrize(
    ('base', 'classes', 'height', 'width'),
    [(UNET, 1, 64, 64), (DEEPLABV3, 3, 64, 64), (UNET, 1, 64, 49), (UNET, 3, 56, 64)],
)
def test_one_patch_is_the_stock_segmentor(
    base: dict[str, Any], classes: int, height: int, width: int
) -> None:
    kwargs = dict(base=base, classes=classes)
    ours: Any = build_segmentor(global_patch=False, **kwargs).train()
    stock: Any = build(stock_segmentor_cfg(**kwargs)).train()
    with_the_weights_of(stock, ours)
    picture, label = image(height, width), sample(height, width, classes)
    found = ours.loss([picture], [label])
    data = as_stock(stock, picture, label)
    expected = stock.loss(data['inputs'], data['data_samples'])
    assert set(found) == set(expected)
    for name, value in expected.items():
        if name == 'decode.acc_seg' and classes == 1:
            continue  # the stock accuracy of one channel is that of class 0
        torch.testing.assert_close(found[name], value.double().squeeze(), rtol=1e-6, atol=1e-9)
    ours.eval(), stock.eval()
    predicted = ours.predict([picture], [label])[0]
    padded = sample(height, width, classes)
    padding = (0, 64 - width, 0, 64 - height)
    padded.set_metainfo(dict(pad_shape=(64, 64), padding_size=padding))
    wanted = stock.predict(data['inputs'], [padded])[0]
    torch.testing.assert_close(
        predicted.seg_logits.data.double(), wanted.seg_logits.data.detach(), rtol=1e-5, atol=1e-6
    )
    assert predicted.pred_sem_seg.data.equal(
        wanted.pred_sem_seg.data.to(predicted.pred_sem_seg.data)
    )


def test_gradients_are_those_of_losses_on_stitched_logits() -> None:
    """The loss of the whole image, computed by the modules as stock heads call them."""
    model: Any = build_segmentor(classes=3).train()
    picture, label = image(130, 100), sample(130, 100, 3)
    sum(v for k, v in model.loss([picture], [label]).items() if 'loss' in k).backward()
    found = gradients(model)
    model.zero_grad()
    batch = model.cut([picture], [label])
    everything = torch.arange(batch.num_patches)
    latent = Latent.of_live(batch, model.encode(batch, everything))
    logits = model.maps(batch, latent, model.encode_global(batch), everything)
    whole = batch.grids[0].merge(logits)[None]
    losses = model.decode_head.loss_by_feat(whole, [label])
    (losses['loss_ce'] + losses['loss_dice']).backward()
    for name, grad in gradients(model).items():
        torch.testing.assert_close(found[name], grad, rtol=1e-7, atol=1e-12, msg=name)


def test_logits_are_interpolated_over_borders_of_patches() -> None:
    """Between cells of two patches as within one, and continued at the border of the image."""
    model: Any = build_segmentor(base=DEEPLABV3, classes=2, global_patch=False).eval()
    batch = model.cut([image(128, 192)], [sample(128, 192)])
    everything = torch.arange(batch.num_patches)
    with torch.no_grad():
        features = model.encode(batch, everything)
        found = model.maps(batch, Latent.of_live(batch, features), None, everything)
        stitched = model.aggregator(batch.grids[0].merge(features[0])[None], None)
    expected = F.interpolate(stitched, scale_factor=8, mode='bilinear', align_corners=False)
    torch.testing.assert_close(batch.grids[0].merge(found)[None], expected)


@pytest.mark.parametrize('base', [UNET, DEEPLABV3])
@pytest.mark.parametrize(
    ('settings', 'size'),
    [(dict(halo=16), (150, 130)), (dict(), (72, 96)), (dict(halo=16, blend=True), (65, 120))],
)
def test_prediction_does_not_depend_on_the_chunk(
    settings: dict[str, Any], size: tuple[int, int], base: dict[str, Any]
) -> None:
    model: Any = build_segmentor(base=base, classes=2, **settings).eval()
    picture = image(*size)
    model.chunk_size = 100
    expected = model.predict([picture])[0].seg_logits.data
    assert expected.shape == (2, *size) and bool(expected.isfinite().all())
    for chunk in (1, 2, 5):
        model.chunk_size = chunk
        torch.testing.assert_close(model.predict([picture])[0].seg_logits.data, expected)


def test_a_halo_of_the_receptive_field_leaves_no_seam() -> None:
    """U-Net without group norm and poolings that fit: patches give what the whole image gives."""
    tiled, whole = convolutional(patch_size=32, halo=32), convolutional(patch_size=128)
    picture = image(128, 128)
    found, expected = (m.predict([picture])[0].seg_logits.data for m in (tiled, whole))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('latent_stride', [1, 4])
@pytest.mark.parametrize(('height', 'width'), [(128, 96), (125, 100), (129, 97), (100, 132)])
def test_with_enough_halo_latents_are_those_of_the_whole_image(
    height: int, width: int, latent_stride: int
) -> None:
    """Padded to whole strides of 4 px only: at the border as elsewhere."""
    model = convolutional(patch_size=32, halo=32, stride=4, latent_stride=latent_stride)
    picture = image(height, width)
    batch = model.cut_images([picture])
    padded = F.pad(batch.to_input(picture[None]), (0, -width % 4, 0, -height % 4))
    with torch.no_grad():
        (found,) = model.encode(batch, batch.all_patches)
        expected = F.avg_pool2d(model.decode_head(model.extract_feat(padded)), latent_stride)[0]
    merged = batch.grids[0].merge(found, crop=False)
    rows, cols = expected.shape[1:]
    assert (merged[:, :rows, :cols] - expected).norm() < 1e-9 * expected.norm()
    assert not merged[:, rows:].any() and not merged[:, :, cols:].any()


def convolutional(**settings: Any) -> Any:
    """A U-Net of stride 4 without group norm and global patch."""
    model: Any = build_segmentor(
        base=UNET, classes=2, global_patch=False, head=dict(norm_cfg=None), **settings
    )
    for name, module in list(model.named_modules()):
        if isinstance(module, torch.nn.GroupNorm):
            parent = model.get_submodule(name.rpartition('.')[0])
            setattr(parent, name.rpartition('.')[2], torch.nn.Identity())
    return model.eval()


def test_windows_are_moved_by_a_stride_that_divides_patch_and_halo() -> None:
    assert build_segmentor(patch_size=128).stride == 32
    assert build_segmentor(patch_size=64, halo=16).stride == 16
    assert build_segmentor(patch_size=128, latent_stride=64).stride == 64
    assert build_segmentor(patch_size=128, stride=16).stride == 16
    with pytest.raises(ValueError, match='stride must be at least 1 px, got 0'):
        build_segmentor(stride=0)


@pytest.mark.parametrize('classes', [1, 3])
@pytest.mark.parametrize('fusion', ['add', 'concat'])
@pytest.mark.parametrize('latent_stride', [1, 4])
def test_losses_of_the_global_patch_are_the_stock_ones_on_a_small_image(
    classes: int, fusion: str, latent_stride: int
) -> None:
    model: Any = build_segmentor(
        classes=classes,
        latent_stride=latent_stride,
        global_loss=0.5,
        aggregator=dict(fusion=fusion),
    ).train()
    picture, label = image(128, 96), sample(128, 96, classes)
    batch = model.cut([picture], [label])
    global_features = model.encode_global(batch)
    logits = model.aggregator(torch.zeros_like(global_features[0]), global_features[0])
    cells = 64 // latent_stride  # of a global patch of 64 px, 48 of which are image
    small = logits[..., : cells * 3 // 4]
    step = 2 * latent_stride
    labels = label.gt_sem_seg.data[:, step // 2 :: step, step // 2 :: step]
    label.gt_sem_seg = PixelData(data=labels)
    expected = model.decode_head.loss_by_feat(small, [label])
    found = model.global_losses(batch, global_features)
    assert set(found) == {f'global.{name}' for name in expected}
    if classes == 1:  # mmseg takes the best of one class there
        del expected['acc_seg']
    for name, value in expected.items():
        share = 0.5 if 'loss' in name else 1.0
        torch.testing.assert_close(found[f'global.{name}'], share * value.squeeze())


@pytest.mark.parametrize('classes', [1, 3])
def test_an_image_without_foreground_or_without_labels(classes: int) -> None:
    model: Any = build_segmentor(classes=classes).train()
    for value in (0, 255):
        label = sample(130, 100, classes)
        label.gt_sem_seg.data.fill_(value)
        model.zero_grad()
        losses = model.loss([image(130, 100)], [label])
        sum(v for k, v in losses.items() if 'loss' in k).backward()
        for name, grad in gradients(model).items():
            assert bool(torch.isfinite(grad).all()), name


def test_ignored_pixels_count_for_nothing() -> None:
    model: Any = build_segmentor(classes=3).train()
    label, changed = sample(130, 100, 3), image(130, 100)
    batch = model.cut([changed], [label])
    ignored = label.gt_sem_seg.data == 255
    assert bool(ignored.any())
    everything = torch.arange(batch.num_patches)
    logits = torch.randn(batch.num_patches, 3, 64, 64)
    canvas = batch.grids[0].merge(logits)
    other = torch.where(ignored, torch.randn(3, 130, 100), canvas)
    losses = []
    for x in (canvas, other):
        found = model.decode_head.loss_by_feat(x[None], [label])
        losses.append(found['loss_ce'] + found['loss_dice'])
    torch.testing.assert_close(*losses)
    del everything


@pytest.mark.parametrize(
    ('settings', 'error', 'message'),
    [
        (dict(loss_region='none'), ValueError, "loss_region must be 'full' or 'sampled'"),
        (dict(latent_stride=24), ValueError, 'patch_size=64 px is no multiple'),
        (dict(head=dict(align_corners=True)), ValueError, 'set decode_head.align_corners=False'),
        (dict(aggregator=dict(fusion='max')), ValueError, "fusion must be 'concat' or 'add'"),
        (dict(normalise_by='patch'), ValueError, "normalise_by must be 'iteration' or 'batch'"),
        (
            dict(auxiliary_head=dict(type='FCNHead', in_channels=4, channels=4, num_classes=2)),
            ValueError,
            'set auxiliary_head=None',
        ),
        (
            dict(head=dict(loss_decode=dict(type='CrossEntropyLoss'))),
            ValueError,
            'avg_non_ignore=True, got',
        ),
        (
            dict(head=dict(loss_decode=dict(type='LovaszLoss', reduction='none'))),
            TypeError,
            'LovaszLoss cannot be computed patch by patch: use CrossEntropyLoss',
        ),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        build_segmentor(**settings)


def test_a_decode_head_that_breaks_the_contract() -> None:
    model: Any = build_segmentor()
    model.decode_head.conv_seg = torch.nn.Conv2d(4, 5, 1).double()
    with pytest.raises(ValueError, match=r"FCNHead must return \(1, 8, 'h', 'w'\) .*\(1, 5, 64"):
        model.predict([image(64, 64)])
    model = build_segmentor()
    model.aggregator.conv = torch.nn.Conv2d(16, 3, 1).double()
    with pytest.raises(ValueError, match=r'LatentClassifier must return \(1, 1, 64, 64\), it'):
        model.predict([image(64, 64)])


def test_label_maps_that_do_not_fit() -> None:
    batch = PatchBatch([image(40, 50)], 32)
    with pytest.raises(ValueError, match=r'map of a.png has 40 x 40 px, its image 40 x 50 px'):
        LabelMaps([torch.zeros(1, 40, 40)], batch, ['a.png'], 2, 255)
    labels = torch.zeros(1, 40, 50, dtype=torch.long)
    labels[0, 35, 45] = 7
    maps = LabelMaps([labels], batch, ['a.png'], 3, 255)
    assert maps.read(torch.tensor([0]), torch.device('cpu')).shape == (1, 32, 32)
    with pytest.raises(ValueError, match=r'a.png has the label\(s\) \[7\], but classes are 0 to 2'):
        maps.read(torch.tensor([3]), torch.device('cpu'))


def test_blending_smooths_borders_of_patches() -> None:
    """Blended logits are steadier across borders than cropped ones, and the same elsewhere."""
    jumps = []
    for blend in (False, True):
        model: Any = build_segmentor(patch_size=32, halo=16, blend=blend, classes=2).eval()
        logits = model.predict([image(128, 160)])[0].seg_logits.data
        steps = logits.diff(dim=2).abs()
        jumps.append(float(steps[:, :, 31::32].mean() / steps.mean()))
    assert jumps[1] < jumps[0]
    with pytest.raises(ValueError, match='blend=True blends where windows overlap: set a halo'):
        build_segmentor(blend=True)
