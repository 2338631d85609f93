"""What only a GPU can show; `make gpu-check` runs these tests. Elsewhere they are skipped, and say so."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import Tensor

from mmpatch.engine.gradients import ExactGradient, SampledGradient, Workload
from mmpatch.testing.tasks import TASKS, Task, passes_of
from mmpatch.testing.tiny_detector import gradients, image, sample

DEVICE = 'cuda'
SCALE = 128.0
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device'),
]
VARIANTS = [
    pytest.param(task, variant, id=f'{task}-{i}')
    for task in TASKS
    for i, variant in enumerate(task.variants)
]


def on_the_host(task: Task, model: Any) -> dict[str, Tensor]:
    """Gradients of all patches in memory at once, by autograd."""
    sum(model.loss(task.images(), task.samples()).values()).backward()
    found = gradients(model)
    model.zero_grad()
    return found


def on_the_device(
    strategy: Any, task: Task, model: Any, wrapper: OptimWrapper | None = None
) -> dict[str, Tensor]:
    """Gradients that a strategy leaves on the device, where all patches are drawn."""
    passes = passes_of(task, model, every=1_000, wrapper=wrapper)
    strategy(passes, [passes.batch.all_patches])
    found = {name: grad.cpu().double() * 1_000 for name, grad in gradients(model).items()}
    model.zero_grad()
    return found


def error(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Of all gradients together, relative."""
    assert set(found) == set(expected)
    differences = torch.stack([(found[n] - g).norm() for n, g in expected.items()])
    return float(differences.norm() / torch.stack([g.norm() for g in expected.values()]).norm())


@pytest.mark.parametrize(('task', 'variant'), VARIANTS)
@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float64, 1e-6), (torch.float32, 0.05)])
def test_gradients_are_those_of_the_host(
    task: Task, variant: dict[str, Any], dtype: torch.dtype, tolerance: float
) -> None:
    """One patch at a time, some graphs kept, all at once; Z on the device and on the host."""
    model: Any = task.build(**variant)
    expected = on_the_host(task, model)
    model.to(DEVICE, dtype)
    for strategy in (
        ExactGradient(),
        ExactGradient(2, 3),
        ExactGradient(latent=dict(device='cpu')),
        SampledGradient(),
        SampledGradient(2, latent=dict(device='cpu')),
    ):
        assert error(on_the_device(strategy, task, model), expected) < tolerance


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize(('dtype', 'tolerance'), [('float16', 0.05), ('bfloat16', 0.15)])
@pytest.mark.parametrize('kind', [ExactGradient, SampledGradient])
def test_mixed_precision(task: Task, dtype: str, tolerance: float, kind: Any) -> None:
    model: Any = task.build()
    expected = on_the_host(task, model)
    model.to(DEVICE, torch.float32)
    wrapper = AmpOptimWrapper(
        loss_scale=SCALE, dtype=dtype, optimizer=torch.optim.SGD(model.parameters(), lr=0.0)
    )
    found = on_the_device(kind(), task, model, wrapper)
    scale = wrapper.loss_scaler.get_scale()
    found = {name: grad / scale for name, grad in found.items()}
    assert error(found, expected) < tolerance


def test_a_full_device_takes_smaller_chunks() -> None:
    """All 64 patches at once do not fit, a few do; the gradient is the same."""
    host = TASKS[0]
    task = Task(str(host), host.build, lambda: [sample(512, 512)], images=lambda: [image(512, 512)])
    model: Any = task.build().to(DEVICE)
    peaks, expected = [], {}
    for chunk in (1, 64):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        expected = on_the_device(ExactGradient(chunk), task, model)
        peaks.append(torch.cuda.max_memory_reserved())
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(sum(peaks) / 2 / total)
    try:
        strategy = ExactGradient(64)
        found = on_the_device(strategy, task, model)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert strategy.work is not None and strategy.work != Workload(64)
    assert error(found, expected) < 1e-6
