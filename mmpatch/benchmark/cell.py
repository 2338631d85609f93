"""One training step of one method, measured in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from statistics import median
from time import perf_counter
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.optim import OptimWrapper
from mmengine.structures import InstanceData

from mmpatch.engine.gradients import BatchContext
from mmpatch.patching import PatchSampler, PatchSchedule
from mmpatch.registry import GRADIENTS
from mmpatch.utils.memory import peak_memory, resident_memory

from .models import build, patch_cfg, stock_cfg

#: Methods, and what they are called in tables.
METHODS = {
    'full': 'full image',
    'checkpointed': 'full image, activation checkpointing',
    'downsampled': 'downsampled',
    'sampled': 'ours, sampled',
    'exact': 'ours, exact',
}


@dataclass(frozen=True)
class Cell:
    """What is measured.

    Attributes:
        method: A key of :data:`METHODS`.
        depth: Depth of the ResNet.
        side: Side of the image [px].
        patch_size: Side of a patch [px].
        objects: Objects in the image.
        sampling_rate, inner_iterations: Of the sampled gradient.
        small_side: Side of the image for ``'downsampled'`` [px].
        chunk_size: Patches with gradient at once in the exact gradient.
        device: ``'cpu'`` or ``'cuda'``.
        amp: ``'bfloat16'``, ``'float16'`` or empty.
        latent_device: Where Z lives; empty: where theta1 runs.
        steps: Steps that are measured after a first one, unless that took over half a minute.
    """

    method: str
    depth: int
    side: int
    patch_size: int = 512
    objects: int = 500
    sampling_rate: float = 0.125
    inner_iterations: int = 2
    small_side: int = 1024
    chunk_size: int = 1
    device: str = 'cpu'
    amp: str = ''
    latent_device: str = ''
    steps: int = 2

    @property
    def model(self) -> str:
        """Name of the model."""
        return f'FCOS-R{self.depth}'


@dataclass(frozen=True)
class Result:
    """What was measured of a cell.

    Attributes:
        cell: The cell.
        seconds: Median time of a step [s]; None if it did not run.
        peak: Highest memory [bytes]: of the process on a CPU, reserved on a GPU.
        idle: Memory of the idle process on a CPU [bytes], 0 on a GPU.
        allocated: Highest allocated memory on a GPU [bytes].
        times: Seconds a step by stage.
        need: What it would take at least, where it did not run [bytes].
        loss: Loss of the first step, to compare methods by.
    """

    cell: Cell
    seconds: float | None = None
    peak: int = 0
    idle: int = 0
    allocated: int = 0
    times: dict[str, float] | None = None
    need: int = 0
    loss: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As nested dicts."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Result:
        """The inverse of :meth:`to_json`."""
        return cls(**{**data, 'cell': Cell(**data['cell'])})


def run_cell(cell: Cell, base: dict[str, Any]) -> Result:
    """Train some steps and measure; call it in a fresh process.

    Args:
        cell: What to measure.
        base: Config of a patch-wise FCOS with a ResNet.

    Returns:
        Time and memory.
    """
    torch.manual_seed(0)
    idle = resident_memory() if cell.device == 'cpu' else 0
    step = _patch_step(cell, base) if cell.method in ('sampled', 'exact') else _step(cell, base)
    losses, seconds, stages = [], [], []
    for _ in range(1 + cell.steps):
        start = perf_counter()
        loss, times = step()
        if cell.device == 'cuda':
            torch.cuda.synchronize()
        seconds.append(perf_counter() - start)
        losses.append(loss)
        stages.append(times)
        if seconds[0] > 30:
            break
    timed = seconds[1:] or seconds
    result = Result(cell, seconds=median(timed), idle=idle, loss=losses[0], times=stages[-1])
    peak = peak_memory()
    if cell.device == 'cpu':
        return replace(result, peak=int(peak['process'] * 2**30))
    return replace(
        result,
        peak=int(peak['reserved'] * 2**30),
        allocated=int(peak['allocated'] * 2**30),
    )


Step = Callable[[], tuple[float, dict[str, float]]]


def _step(cell: Cell, base: dict[str, Any]) -> Step:
    """A step of stock FCOS on the whole image."""
    cfg = stock_cfg(patch_cfg(base, cell.depth, cell.patch_size))
    cfg['backbone']['with_cp'] = cell.method == 'checkpointed'
    side = cell.small_side if cell.method == 'downsampled' else cell.side
    model: Any = build(cfg).to(cell.device)
    wrapper = _optimizer(model, cell)
    data = dict(inputs=[_image(side)], data_samples=[_sample(side, cell)])

    def step() -> tuple[float, dict[str, float]]:
        return model.train_step(data, wrapper)['loss'].item(), {}

    return step


def _patch_step(cell: Cell, base: dict[str, Any]) -> Step:
    """All optimizer steps that a train loop makes on one image."""
    model: Any = build(patch_cfg(base, cell.depth, cell.patch_size)).to(cell.device)
    wrapper = _optimizer(model, cell)
    latent = dict(device=cell.latent_device or None)
    if cell.method == 'exact':
        strategy = GRADIENTS.build(dict(type='exact', chunk_size=cell.chunk_size, latent=latent))
    else:
        strategy = GRADIENTS.build(dict(type='sampled', latent=latent))
    schedule = PatchSchedule(cell.sampling_rate, cell.inner_iterations)
    image, sample = _image(cell.side), _sample(cell.side, cell)

    def step() -> tuple[float, dict[str, float]]:
        data = model.data_preprocessor(dict(inputs=[image], data_samples=[sample]), True)
        batch = model.cut(data['inputs'], data['data_samples'])
        count = schedule.patches_per_round(batch.num_patches)
        draws = [torch.arange(batch.num_patches)]
        if strategy.samples:
            draws = PatchSampler(0).draw(
                batch.num_patches, count, schedule.rounds, epoch=0, iteration=0, stream=0
            )
        context = BatchContext(model, batch, draws, wrapper, ['synthetic'])
        return float(strategy(context)['loss']), dict(context.times)

    return step


def _optimizer(model: Any, cell: Cell) -> OptimWrapper:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    if not cell.amp:
        return OptimWrapper(optimizer)
    if cell.device == 'cpu':
        from mmpatch.engine.optimizers import BF16OptimWrapper

        return BF16OptimWrapper(optimizer=optimizer)
    from mmengine.optim import AmpOptimWrapper

    return AmpOptimWrapper(optimizer=optimizer, dtype=cell.amp)


def _image(side: int) -> torch.Tensor:
    """A seeded image (3, side, side), uint8, made without a larger copy."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, side, side), dtype=torch.uint8, generator=generator)


def _sample(side: int, cell: Cell) -> DetDataSample:
    """Seeded objects of 1 to 5 % of the side; the same ones, scaled, at every size."""
    generator = torch.Generator().manual_seed(0)
    size = torch.rand(cell.objects, 2, generator=generator) * 0.04 + 0.01
    corner = torch.rand(cell.objects, 2, generator=generator) * (1 - size)
    boxes = torch.cat((corner, corner + size), dim=1) * side
    shape = (side, side)
    sample = DetDataSample(
        metainfo=dict(
            img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0), img_path='synthetic'
        )
    )
    labels = torch.randint(80, (cell.objects,), generator=generator)
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    return sample
