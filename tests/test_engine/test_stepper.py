"""Counting inner iterations, and steps over all ranks."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmpatch.engine import stepper as stepping
from mmpatch.engine.stepper import Accumulation, NonFiniteLossError, Stepper


@pytest.mark.parametrize('every', [1, 2, 3, 5])
@pytest.mark.parametrize('total', [None, 1, 4, 6, 7])
@pytest.mark.parametrize('done', [0, 2])
def test_counting_is_that_of_the_host(every: int, total: int | None, done: int) -> None:
    """mmengine's wrapper with one backward pass per inner iteration is the reference."""
    parameter = nn.Parameter(torch.ones(1))
    host = OptimWrapper(torch.optim.SGD([parameter], lr=0.0), accumulative_counts=every)
    host.initialize_count_status(nn.Linear(1, 1), done, -1 if total is None else total)
    ours = Accumulation(every, total, done)
    for _ in range((total or 9) - done):
        assert float(host.scale_loss(torch.tensor(60.0))) == 60.0 / ours.divisor
        host.backward(parameter.sum())
        assert ours.advance() == host.should_update()


def stepper_of(every: int = 1) -> tuple[Stepper, nn.Parameter]:
    parameter = nn.Parameter(torch.tensor([1.0, 2.0]))
    return Stepper(
        OptimWrapper(torch.optim.SGD([parameter], lr=1.0)), Accumulation(every)
    ), parameter


def test_several_backward_passes_make_one_inner_iteration() -> None:
    stepper, parameter = stepper_of(every=2)
    for _ in range(2):
        for weight in (1.0, 3.0):
            stepper.backward(weight * parameter.sum())
        stepper.end_inner_iteration(torch.tensor(1.0), ['a'])
    torch.testing.assert_close(parameter.data, torch.tensor([1.0, 2.0]) - 4)
    assert parameter.grad is None or not parameter.grad.any()


def test_a_loss_that_is_not_finite_names_the_images() -> None:
    stepper, parameter = stepper_of()
    with pytest.raises(NonFiniteLossError, match=r'the loss is nan on the batch of a.png, b.png'):
        stepper.end_inner_iteration(torch.tensor(float('nan')), ['a.png', 'b.png'])
    stepper.backward(parameter.sum() * float('inf'))
    with pytest.raises(NonFiniteLossError, match='a gradient is not finite on'):
        stepper.end_inner_iteration(torch.tensor(1.0), ['a.png'])
    torch.testing.assert_close(parameter.data, torch.tensor([1.0, 2.0]))


def test_the_loss_of_another_process_ends_the_training_here_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the first rank would wait for ever, and nothing would be saved."""
    monkeypatch.setattr(stepping, 'all_reduce', lambda tensor, op: tensor.zero_())
    stepper, _ = stepper_of()
    with pytest.raises(NonFiniteLossError, match='the loss of another process is not finite'):
        stepper.end_inner_iteration(torch.tensor(1.0), ['a.png'])
