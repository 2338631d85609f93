"""Proof that a model's patch-wise gradient is the gradient of what it computes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from mmengine.optim import OptimWrapper
from mmengine.structures import InstanceData, PixelData
from torch import Tensor, nn

from mmpatch.patching import PatchSampler, PatchSchedule

from .gradients.base import BatchContext, GradientStrategy
from .gradients.replay import RandomState

#: Largest relative error of a right gradient, by type.
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3}

Gradients = dict[str, Tensor]


@dataclass
class Verification:
    """What was found out about the gradients of a model.

    Attributes:
        modules: Name, relative error, cosine and norm of the gradient of each module.
        tolerance: Largest relative error that counts as right.
        moved: Buffers that the gradient changed and should not have.
        without: Trained parameters that got no gradient, from the loop or from autograd.
        only_autograd: Those that got one from autograd alone.
        random: The first module whose output differs between two equal passes; None: none.
        approximation: Of sampled gradients, relative error and cosine of their mean over the
            inner iterations of a batch against the exact gradient; None for exact ones.
    """

    modules: list[tuple[str, float, float, float]]
    tolerance: float
    moved: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    only_autograd: list[str] = field(default_factory=list)
    random: str | None = None
    approximation: tuple[float, float] | None = None

    @property
    def problems(self) -> list[str]:
        """What is wrong, in words; empty if nothing is."""
        found = [
            f'{name}: relative error {error:.1e} is above {self.tolerance:.0e}'
            for name, error, _, _ in self.modules
            if not error <= self.tolerance
        ]
        if self.moved:
            found.append(
                f'{len(self.moved)} running statistics moved (first: {self.moved[0]}): set '
                "model.norm_eval=True or use norm_cfg=dict(type='GN', num_groups=32)"
            )
        if self.only_autograd:
            found.append(
                f'{len(self.only_autograd)} parameters get a gradient from autograd but none from '
                f'the loop (first: {self.only_autograd[0]})'
            )
        if self.random is not None:
            found.append(
                f'{self.random} gives different outputs for the same input and random state; a '
                'replay cannot repeat what it did'
            )
        return found

    def table(self) -> str:
        """A line a module, then what else there is to say."""
        width = max(len(name) for name, *_ in self.modules)
        lines = [f'{"module":<{width}}  relative error      cosine  norm of gradient']
        for name, error, cosine, norm in self.modules:
            mark = '' if error <= self.tolerance else '  WRONG'
            lines.append(f'{name:<{width}}  {error:14.1e}  {cosine:10.7f}  {norm:16.3e}{mark}')
        if self.approximation is not None:
            error, cosine = self.approximation
            lines.append(
                f'Sampling as configured, mean over the inner iterations of a batch, against the '
                f'exact gradient: relative error {error:.3f}, cosine {cosine:.3f}'
            )
        lines.append(f'Running statistics that moved: {", ".join(self.moved[:5]) or "none"}')
        lines.append(f'Trained parameters without gradient: {", ".join(self.without) or "none"}')
        return '\n'.join(lines)


def verify_gradient(
    model: Any,
    strategy: GradientStrategy,
    images: Sequence[Tensor],
    samples: Sequence[Any],
    schedule: PatchSchedule | None = None,
    depth: int = 2,
) -> Verification:
    """Compare what a gradient strategy computes with plain autograd on all patches at once.

    A sampled gradient is compared on all patches in one inner iteration, where it has to be the
    exact one, and is then rated as an approximation on its real draws. Dropout is off: its masks
    depend on which patches are encoded together, so no two ways to encode them are comparable.

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
    samples = [_in_type(sample, dtype) for sample in samples]
    with _no_casts(dtype):
        batch = model.cut(images, copy.deepcopy(samples))
        first = torch.arange(min(2, batch.num_patches))
        random = _first_random_module(model, batch, first)
        state = RandomState.capture()
        model.zero_grad()
        sum(model.loss(images, copy.deepcopy(samples)).values()).backward()
        expected = _gradients(model)
        state.restore()
        buffers = {name: value.clone() for name, value in model.named_buffers()}
        everything = [torch.arange(batch.num_patches)]
        found = _run(model, strategy, batch, everything)
        moved = [n for n, v in model.named_buffers() if not torch.equal(v, buffers[n])]
        approximation = None
        if strategy.samples and schedule is not None:
            approximation = _compare(
                _flat(_run(model, strategy, batch, _draws(batch, schedule))), _flat(expected)
            )
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    return Verification(
        modules=_by_module(found, expected, depth),
        tolerance=TOLERANCE.get(dtype, 0.05),
        moved=moved,
        without=[n for n in trained if n not in found or n not in expected],
        only_autograd=[n for n in trained if n in expected and n not in found],
        random=random,
        approximation=approximation,
    )


def crop_sample(image: Tensor, sample: Any, side: int) -> tuple[Tensor, Any]:
    """Cut the ``side`` x ``side`` px with the most objects out of an image and its labels.

    Args:
        image: (C, H, W).
        sample: Its data sample; boxes and pixel labels are cut, labels of whole images stay.
        side: Side of the crop [px]; smaller images stay as they are.

    Returns:
        Crop and labels.
    """
    height, width = image.shape[-2:]
    objects = sample.get('gt_instances')
    y = x = 0
    if objects is not None and len(objects):
        centres = (objects.bboxes[:, :2] + objects.bboxes[:, 2:]) / 2
        near = (centres[:, None] - centres[None]).abs().amax(dim=2) < side / 2
        best = centres[near.sum(dim=1).argmax()]
        x = int((best[0] - side / 2).clamp(0, max(width - side, 0)))
        y = int((best[1] - side / 2).clamp(0, max(height - side, 0)))
    crop = image[:, y : y + side, x : x + side]
    cut = copy.deepcopy(sample)
    shape = tuple(crop.shape[-2:])
    cut.set_metainfo(dict(img_shape=shape, pad_shape=shape, batch_input_shape=shape))
    for key in ('gt_instances', 'ignored_instances'):
        found = cut.get(key)
        if found is not None and len(found):
            setattr(cut, key, _crop_boxes(found, x, y, shape))
    pixels = cut.get('gt_sem_seg')
    if pixels is not None:
        cut.gt_sem_seg = PixelData(data=pixels.data[..., y : y + side, x : x + side])
    return crop, cut


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


def _crop_boxes(found: InstanceData, x: int, y: int, shape: tuple[int, ...]) -> InstanceData:
    boxes = found.bboxes - found.bboxes.new_tensor([x, y, x, y])
    boxes[:, 0::2] = boxes[:, 0::2].clamp(0, shape[1])
    boxes[:, 1::2] = boxes[:, 1::2].clamp(0, shape[0])
    found = copy.copy(found)
    found.bboxes = boxes
    return found[(boxes[:, 2:] - boxes[:, :2]).amin(dim=1) > 1]


def _run(model: Any, strategy: Any, batch: Any, draws: list[Tensor]) -> Gradients:
    """The mean gradient that a strategy leaves, without any step."""
    counts = 1_000_000
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0), accumulative_counts=counts)
    wrapper.initialize_count_status(model, 0, -1)
    model.zero_grad()
    strategy(BatchContext(model, batch, draws, wrapper, ['the crop']))
    scale = counts / len(draws)
    if len(draws) > 1:  # each of them is a share of the batch's loss
        scale = counts * batch.num_patches / sum(len(model.scored(batch, part)) for part in draws)
    found = {name: grad * scale for name, grad in _gradients(model).items()}
    model.zero_grad()
    return found


def _draws(batch: Any, schedule: PatchSchedule) -> list[Tensor]:
    """What the loop would draw in its first iteration."""
    parts: list[list[Tensor]] = []
    for image in range(batch.num_images):
        patches = len(batch.of_image(image))
        count = schedule.patches_per_round(patches)
        drawn = PatchSampler(0).draw(
            patches, count, schedule.rounds, epoch=0, iteration=0, stream=image
        )
        parts.append([part + batch.starts[image] for part in drawn])
    return [torch.cat(group) for group in zip(*parts)]


def _gradients(model: nn.Module) -> Gradients:
    return {n: p.grad.detach().clone() for n, p in model.named_parameters() if p.grad is not None}


def _by_module(
    found: Gradients, expected: Gradients, depth: int
) -> list[tuple[str, float, float, float]]:
    groups: dict[str, list[str]] = {}
    for name in expected:
        groups.setdefault('.'.join(name.split('.')[:-1][:depth]), []).append(name)
    rows = []
    for group, names in groups.items():
        zeros = {n: torch.zeros_like(expected[n]) for n in names}
        got = _flat({n: found.get(n, zeros[n]) for n in names})
        reference = _flat({n: expected[n] for n in names})
        rows.append((group, *_compare(got, reference), float(reference.norm())))
    return rows


def _flat(gradients: Gradients) -> Tensor:
    return torch.cat([g.flatten() for g in gradients.values()])


def _compare(found: Tensor, expected: Tensor) -> tuple[float, float]:
    """Relative error and cosine."""
    norm = expected.norm().clamp(min=1e-30)
    cosine = (found @ expected) / (found.norm().clamp(min=1e-30) * norm)
    return float((found - expected).norm() / norm), float(cosine)


def _first_random_module(model: Any, batch: Any, part: Tensor) -> str | None:
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
            features = model.encode(batch, part)
        seen += [('theta1', feature) for feature in features]
        for handle in handles:
            handle.remove()
        passes.append(seen)
    for (name, first), (_, second) in zip(*passes):
        if not torch.equal(first, second):
            return name
    return None


def _recorder(name: str, seen: list[tuple[str, Tensor]]) -> Any:
    def record(_: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            seen.append((name, output.clone()))

    return record


@contextmanager
def _no_casts(dtype: torch.dtype) -> Iterator[None]:
    """Mmdet casts boxes to float32, which would hide differences below 1e-7 in float64."""
    if dtype != torch.float64:
        yield
        return
    with mock.patch.object(torch.Tensor, 'float', lambda tensor: tensor.double()):
        yield
