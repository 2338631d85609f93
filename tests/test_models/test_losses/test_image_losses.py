"""Losses from sums over images equal the stock ones."""

from __future__ import annotations

import pytest
import torch
from mmseg.models.losses import CrossEntropyLoss
from torch import Tensor

from mmpatch.models.losses import ImageLosses, summed

IGNORED = 255


def _value(loss: CrossEntropyLoss, logits: Tensor, labels: Tensor) -> Tensor:
    """Compute the loss from the sums over each image, as a training does."""
    losses = ImageLosses([summed(loss)])
    totals = losses.sums(logits, labels, torch.arange(len(labels)), len(labels), IGNORED)
    return losses.values(losses.normalised(totals, losses.normalisers(totals)))['loss_ce']


@pytest.mark.parametrize('scale', [1e-3, 1.0, 1e3])
def test_scale_of_class_weights_does_not_matter(scale: float) -> None:
    """The sum of the weights divides the loss, also where it is below 1."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (2, 4, 5), generator=generator)
    labels[:, 0] = IGNORED
    weights = [0.5 * scale, 1.0 * scale, 2.0 * scale]
    stock = CrossEntropyLoss(class_weight=weights, avg_non_ignore=True)
    # With class weights, the stock loss fails on maps and on ignored pixels: it gets a list of pixels.
    valid = labels != IGNORED
    expected = stock(logits.permute(0, 2, 3, 1)[valid], labels[valid], ignore_index=IGNORED)
    torch.testing.assert_close(_value(stock, logits, labels), expected)


def test_batch_without_valid_pixels_has_no_loss() -> None:
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.full((2, 4, 5), IGNORED)
    stock = CrossEntropyLoss(class_weight=[0.1, 0.2, 0.3], avg_non_ignore=True)
    assert float(_value(stock, logits, labels)) == 0


def test_other_ranks_valid_pixels_divide_the_loss_of_this_one() -> None:
    """A normaliser that another rank doubled halves the loss; a rank without pixels has none."""
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.ones(2, 4, 5, dtype=torch.int64)
    losses = ImageLosses([summed(CrossEntropyLoss(avg_non_ignore=True))])
    images = torch.arange(2)
    totals = losses.sums(logits, labels, images, 2, IGNORED)
    alone = losses.values(totals)['loss_ce']
    halved = losses.values(losses.normalised(totals, 2 * losses.normalisers(totals)))['loss_ce']
    torch.testing.assert_close(halved, alone / 2)

    nothing = losses.sums(logits, torch.full_like(labels, IGNORED), images, 2, IGNORED)
    shared = losses.normalised(nothing, losses.normalisers(totals))
    assert float(losses.values(shared)['loss_ce']) == 0
