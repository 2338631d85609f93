"""Proof that a model's patch-wise gradient is the gradient of what it computes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmpatch.patching import PatchBatch, PatchSampler, PatchSchedule

from .gradients import GradientStrategy
from .gradients.encoding import RandomState
from .stepper import Accumulation, Stepper
from .train_batch import Draw, prepare_batch
from .verification_report import TOLERANCE, Gradients, Verification, by_module, compare, flat


def verify_gradient(
    model: Any,
    strategy: GradientStrategy,
    images: Sequence[Tensor],
    samples: Sequence[Any],
    schedule: PatchSchedule | None = None,
    depth: int = 2,
) -> Verification:
    """Compare what a gradient strategy computes with plain autograd on all patches at once.

    The strategy runs as in a training. A sampled gradient is compared on all patches in one inner
    iteration, where it has to be the exact one. It is then rated as an approximation on its real
    draws. Dropout is off: its masks depend on which patches are encoded together, so no two ways to
    encode them are comparable.

    Args:
        model: A patch-wise model, in the type and on the device to be used.
        strategy: The gradient.
        images: Images (C, H, W), small enough for all of their patches to be held at once.
        samples: Their labels.
        schedule: How the loop samples.
        depth: Parts of a parameter's name that make a line of the table.

    Returns:
        What was found.
    """
    model.train()
    _without_dropout(model)
    dtype = next(p.dtype for p in model.parameters() if p.requires_grad)

    def data() -> dict[str, Any]:
        return dict(inputs=list(images), data_samples=[_in_type(s, dtype) for s in samples])

    random = _first_random_module(model, model.cut(*data().values()))
    state = RandomState.capture()
    expected, loss_dtype = _autograd(model, data())
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    state.restore()
    found = _run(model, strategy, data(), lambda images: [torch.arange(sum(map(len, images)))])
    moved = [n for n, v in model.named_buffers() if not torch.equal(v, buffers[n])]
    approximation = None
    if strategy.samples and schedule is not None:
        draw = partial(PatchSampler(0).draw, schedule=schedule, epoch=0, iteration=0)
        approximation = compare(flat(_run(model, strategy, data(), draw)), flat(expected))
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    return Verification(
        modules=by_module(found, expected, depth),
        tolerance=TOLERANCE.get(loss_dtype, 0.05),
        moved=moved,
        without=[n for n in trained if n not in found or n not in expected],
        only_autograd=[n for n in trained if n in expected and n not in found],
        random=random,
        approximation=approximation,
    )


class GradientRecorder(OptimWrapper):
    """Keeps the gradient of a step instead of making the step.

    Args:
        model: The model whose gradient is computed.

    Attributes:
        found: The gradient of the last step.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(torch.optim.SGD(model.parameters(), lr=0.0))
        self.model = model
        self.found: Gradients = {}

    def step(self, **kwargs: Any) -> None:
        """Remember the gradients."""
        self.found = _gradients(self.model)


def _run(model: Any, strategy: GradientStrategy, data: dict[str, Any], draw: Draw) -> Gradients:
    """The gradient of a batch that a strategy leaves, without any step."""
    recorder = GradientRecorder(model)
    stepper = Stepper(recorder)
    model.zero_grad()
    passes, draws = prepare_batch(model, data, strategy, draw, stepper)
    stepper.accumulation = Accumulation(every=max(len(draws), 1))  # one step after all draws
    strategy(passes, draws)
    return recorder.found


def _autograd(model: Any, data: dict[str, Any]) -> tuple[Gradients, torch.dtype]:
    """The gradient of the batch in memory at once, and the type of its loss."""
    model.zero_grad()
    data = model.data_preprocessor(data, True)
    loss = sum(model.loss(data['inputs'], data['data_samples']).values())
    loss.backward()
    found = _gradients(model)
    model.zero_grad()
    return found, loss.dtype


def _gradients(model: nn.Module) -> Gradients:
    return {n: p.grad.detach().clone() for n, p in model.named_parameters() if p.grad is not None}


def _without_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd) or type(module).__name__ == 'DropPath':
            module.eval()


def _in_type(sample: Any, dtype: torch.dtype) -> Any:
    """A copy of a data sample with boxes of some type."""
    sample = copy.deepcopy(sample)
    for key in ('gt_instances', 'ignored_instances'):
        found = sample.get(key)
        if found is not None and 'bboxes' in found:
            found.bboxes = found.bboxes.to(dtype)
    return sample


def _first_random_module(model: Any, batch: PatchBatch[object]) -> str | None:
    """Encode twice with the same random state; the first module that differs."""
    passes: list[list[tuple[str, Tensor]]] = []
    state = RandomState.capture()
    for _ in range(2):
        seen: list[tuple[str, Tensor]] = []
        handles = [
            module.register_forward_hook(_recorder(name, seen))
            for name, module in model.named_modules()
            if not list(module.children())
        ]
        with state.borrowed(), torch.no_grad():
            features = model.encode(batch, batch.all_patches[:2])
        seen += [('theta1', feature) for feature in features]
        for handle in handles:
            handle.remove()
        passes.append(seen)
    for (name, first), (_, second) in zip(*passes):
        if _differ(first, second):
            return name
    return None


def _differ(first: Tensor, second: Tensor) -> bool:
    """Whether two outputs differ by more than rounding: a GPU may add up in any order."""
    if not first.is_floating_point():
        return not torch.equal(first, second)
    rounding = 32 * torch.finfo(first.dtype).eps
    return not bool((first - second).norm() <= rounding * first.norm())  # NaN differs, too


def _recorder(name: str, seen: list[tuple[str, Tensor]]) -> Any:
    def record(_: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            seen.append((name, output.clone()))

    return record
