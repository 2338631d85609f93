"""Losses as functions of sums equal the stock ones, and those computed by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.losses import CrossEntropyLoss
from torch import Tensor

from mmpatch.models.losses import CrossEntropySums, PatchDiceLoss, PixelAccuracy, summed

IGNORED = 255


def data(channels: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, channels, 8, 10, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, max(channels, 2), (3, 8, 10), generator=generator)
    labels[:, :2] = IGNORED
    return logits, labels


def test_dice_by_hand() -> None:
    logits = torch.tensor([[[[0.0, 100.0, -100.0, 7.0]]]])
    labels = torch.tensor([[[1, 1, 0, IGNORED]]])  # probabilities 0.5, 1, 0, ignored
    found = PatchDiceLoss(eps=1.0)(logits, labels, ignore_index=IGNORED)
    assert float(found) == pytest.approx(1 - (2 * 1.5 + 1) / (1.5 + 2 + 1))


def test_dice_of_a_perfect_mask_is_zero_and_without_foreground_defined() -> None:
    labels = torch.tensor([[[0, 1, 2, 1]]])
    perfect = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2) * 200.0
    assert float(PatchDiceLoss()(perfect, labels)) == pytest.approx(0, abs=1e-6)
    nothing = PatchDiceLoss()(torch.full((1, 1, 1, 4), -100.0), torch.zeros(1, 1, 4).long())
    assert float(nothing) == 0
    with pytest.raises(ValueError, match='knows no weights of pixels'):
        PatchDiceLoss()(perfect, labels, weight=labels)


@pytest.mark.parametrize('use_sigmoid', [False, True])
@pytest.mark.parametrize('channels', [1, 4])
def test_dice_is_per_image_and_class(channels: int, use_sigmoid: bool) -> None:
    logits, labels = data(channels)
    whole = PatchDiceLoss(use_sigmoid)(logits, labels)
    each = [PatchDiceLoss(use_sigmoid)(logits[i : i + 1], labels[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(whole, torch.stack(each).mean())


@pytest.mark.parametrize(
    'settings',
    [
        dict(channels=1, use_sigmoid=True),
        dict(channels=4, use_sigmoid=True),
        dict(channels=4),
        dict(channels=4, class_weight=[0.5, 1.0, 2.0, 4.0], loss_weight=3.0),
    ],
)
def test_cross_entropy_from_sums_is_the_stock_one(settings: dict[str, Any]) -> None:
    logits, labels = data(settings.pop('channels'))
    stock = CrossEntropyLoss(avg_non_ignore=True, **settings)
    ours = CrossEntropySums(stock)
    if 'class_weight' in settings:  # the stock loss fails there if pixels are ignored
        weight = logits.new_tensor(settings['class_weight'])
        expected = 3 * F.cross_entropy(logits, labels, weight, ignore_index=IGNORED)
    else:
        expected = stock(logits, labels, ignore_index=IGNORED)
    torch.testing.assert_close(
        ours.value(ours.sums(logits, labels, IGNORED)).double(),
        expected.double(),
        rtol=1e-6,  # the stock loss weights pixels in float32
        atol=0,
    )


@pytest.mark.parametrize('loss', [PatchDiceLoss(), CrossEntropyLoss(avg_non_ignore=True)])
def test_sums_add_up_over_windows(loss: Any) -> None:
    logits, labels = data(4)
    loss = summed(loss)
    whole = loss.sums(logits, labels, IGNORED)
    parts = [loss.sums(logits[..., i : i + 5], labels[..., i : i + 5], IGNORED) for i in (0, 5)]
    torch.testing.assert_close(parts[0] + parts[1], whole)


@pytest.mark.parametrize('channels', [1, 4])
def test_windows_without_valid_pixels(channels: int) -> None:
    logits, labels = data(channels)
    logits.requires_grad_()
    labels[:] = IGNORED
    stock = CrossEntropyLoss(use_sigmoid=channels == 1, avg_non_ignore=True)
    for loss in (summed(stock), summed(PatchDiceLoss())):
        value = loss.value(loss.sums(logits, labels, IGNORED))
        value.backward()
        assert bool(torch.isfinite(value)) and bool((logits.grad == 0).all())


def test_accuracy() -> None:
    logits = torch.tensor([[[[3.0, -3.0, 3.0, 3.0]]]])
    accuracy = PixelAccuracy(0.5)
    labels = torch.tensor([[[1, 0, 0, IGNORED]]])
    assert float(accuracy.value(accuracy.sums(logits, labels, IGNORED))) == pytest.approx(200 / 3)


def test_losses_that_are_no_sums() -> None:
    with pytest.raises(TypeError, match='Linear cannot be computed patch by patch'):
        summed(torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="got 'sum', False and True"):
        summed(CrossEntropyLoss(reduction='sum', avg_non_ignore=True))
