"""Focal loss equals mmdet's, and is computed where mmcv's operator cannot be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from mmdet.models.losses import FocalLoss
from torch import Tensor

from mmpatch.models.losses import PatchFocalLoss
from mmpatch.registry import MODELS

Move = Callable[[Tensor], Tensor]


def _data(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Make logits with gradient, classes with background among them, and weights."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(30, 4, generator=generator)
    classes = torch.randint(5, (30,), generator=generator)
    return logits.to(dtype).requires_grad_(), classes, torch.rand(30, generator=generator)


def _assert_same(found: Tensor, expected: Tensor, logits: Tensor) -> None:
    """Compare values and the derivatives with respect to the logits."""
    torch.testing.assert_close(found.as_subclass(Tensor), expected)
    gradients = [torch.autograd.grad(value.sum(), logits)[0] for value in (found, expected)]
    torch.testing.assert_close(gradients[0].as_subclass(Tensor), gradients[1])


@pytest.mark.parametrize('reduction', ['mean', 'sum', 'none'])
def test_missing_operator_is_replaced(reduction: str, on_bare_gpu: Move) -> None:
    logits, classes, weight = _data()
    stock = FocalLoss(reduction=reduction, gamma=1.5, alpha=0.3, loss_weight=2.0)
    ours = PatchFocalLoss(reduction=reduction, gamma=1.5, alpha=0.3, loss_weight=2.0)
    expected = stock(logits, classes, weight)
    with pytest.raises(RuntimeError, match=r'sigmoid_focal_loss.*device cpu not found'):
        stock(on_bare_gpu(logits), classes, weight)
    _assert_same(ours(on_bare_gpu(logits), classes, weight), expected, logits)


def test_average_factor_reaches_mmdet(on_bare_gpu: Move) -> None:
    logits, classes, _ = _data()
    expected = FocalLoss()(logits, classes, avg_factor=7.0)
    _assert_same(PatchFocalLoss()(on_bare_gpu(logits), classes, avg_factor=7.0), expected, logits)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    logits, classes, weight = _data(dtype)
    found = PatchFocalLoss()(logits, classes, weight)
    assert found.dtype == torch.float32
    _assert_same(found, FocalLoss()(logits.float(), classes, weight), logits)


def test_existing_operator_is_used_in_float32(
    on_bare_gpu: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a build for CUDA the operator runs, and gets no precision that it does not know."""
    given = []

    def operator(pred: Tensor, target: Tensor, *_: object) -> Tensor:
        given.append((pred.dtype, target.dtype, tuple(target.shape)))
        return pred.square()

    monkeypatch.setattr('mmpatch.models.operators.get_compiling_cuda_version', lambda: '13.0')
    monkeypatch.setattr('mmdet.models.losses.focal_loss._sigmoid_focal_loss', operator)
    logits, classes, _ = _data(torch.bfloat16)
    found = PatchFocalLoss()(on_bare_gpu(logits), classes)
    assert given == [(torch.float32, torch.int64, (30,))]
    _assert_same(found, logits.float().square().mean(), logits)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_on_a_gpu(dtype: torch.dtype) -> None:
    logits, classes, weight = _data(dtype)
    found = PatchFocalLoss()(logits.cuda(), classes.cuda(), weight.cuda()).cpu()
    _assert_same(found, FocalLoss()(logits.float(), classes, weight), logits)


def test_built_from_a_config() -> None:
    cfg = dict(type='mmpatch.PatchFocalLoss', use_sigmoid=True, alpha=0.5)
    loss = MODELS.build(cfg)
    assert isinstance(loss, PatchFocalLoss)
    assert loss.alpha == 0.5
