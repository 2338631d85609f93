"""How often a training waits for its device, counted on a pretended one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from mmpatch.engine.gradients import ExactGradient, SampledGradient
from mmpatch.testing.counting_device import DEVICE, CountingDevice, OnDevice
from mmpatch.testing.tasks import TASKS, Task, passes_of

#: Most waits a patch of the gradient, after the batch is cut.
LIMITS = {ExactGradient: 10, SampledGradient: 4}
#: Most operations a patch of the exact gradient, which encodes each twice.
OPERATIONS = 1_200


@pytest.mark.parametrize('task', [*TASKS, replace(TASKS[0], variants=(dict(fuse=True),))], ids=str)
@pytest.mark.parametrize('kind', [ExactGradient, SampledGradient])
def test_hardly_anything_waits_for_the_device(task: Task, kind: Any) -> None:
    expected: Any = task.build(**task.variants[0])
    model: Any = task.build(**task.variants[0])
    draws = [torch.tensor([0, 1, 4, 5])]
    kind()(passes_of(task, expected, every=1_000), draws)
    with CountingDevice() as device:
        device.take(model)
        data = dict(inputs=task.images(), data_samples=task.samples())
        samples = model.data_preprocessor(data, True)['data_samples']
        device.clear()
        passes = passes_of(replace(task, samples=lambda: samples), model, every=1_000)
        patches = passes.batch.num_patches
        assert device.waits.total() <= 3 * patches
        device.clear()
        kind()(passes, draws)
    scored = patches if kind is ExactGradient else len(draws[0])
    assert device.waits.total() <= LIMITS[kind] * scored, device.waits
    assert device.operations <= OPERATIONS * scored
    for (name, one), (_, other) in zip(model.named_parameters(), expected.named_parameters()):
        assert (one.grad is None) == (other.grad is None), name
        if one.grad is not None:
            assert isinstance(one.grad, OnDevice)
            torch.testing.assert_close(one.grad.value, other.grad)


def test_what_would_wait_is_counted() -> None:
    with CountingDevice() as device:
        here = torch.arange(4.0).to(DEVICE)
        assert device.waits == {'to device': 1}
        here.to('cpu')
        here.sum().item()
        here[here > 1]
        here[torch.tensor([0, 2])]
        here.tolist()
        torch.arange(3).to(DEVICE, non_blocking=True)
        assert device.waits == {
            'to device': 1,
            'to host': 2,
            'aten::_local_scalar_dense': 1,
            'index by mask': 1,
            'index on the host': 1,
        }
        assert torch.equal((here * 2 + 1).value, torch.arange(4.0) * 2 + 1)
        with pytest.raises(RuntimeError, match=r'tensors of two devices; on the host: \[\(4,\)\]'):
            here + torch.ones(4)
    with pytest.raises(RuntimeError, match='outside of its context'):
        here + 1


def test_torch_is_afterwards_what_it_was_before() -> None:
    before = dict(vars(torch.Tensor))
    with CountingDevice():
        pass
    assert dict(vars(torch.Tensor)) == before
    assert torch.tensor([[torch.tensor(1), torch.tensor(2)]]).tolist() == [[1, 2]]
