"""One training step of one method, measured in a process of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from statistics import median
from time import perf_counter, process_time
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.optim import OptimWrapper
from mmengine.structures import InstanceData, PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from mmpatch.engine.gradients import build_gradient
from mmpatch.engine.memory_plan import apply_plan, plan_memory
from mmpatch.engine.mesh import Mesh, PatchGroup
from mmpatch.engine.monitor import Monitor
from mmpatch.engine.stepper import Stepper
from mmpatch.engine.train_batch import prepare_batch, train_batch
from mmpatch.patching import PatchSampler, PatchSchedule
from mmpatch.utils.memory import peak_memory, resident_memory

from .models import build, patch_cfg, stock_cfg

#: Methods, and what they are called in tables.
METHODS = {
    'full': 'full image',
    'checkpointed': 'full image, activation checkpointing',
    'downsampled': 'downsampled',
    'in_memory': 'ours, all patches in memory',
    'sampled': 'ours, sampled',
    'exact': 'ours, exact',
}

#: A step that takes longer [s] is not repeated.
LONG = 120


@dataclass(frozen=True)
class Cell:
    """What is measured.

    Attributes:
        method: A key of :data:`METHODS`.
        model: A key of :data:`mmpatch.benchmark.models.BASES`.
        side: Side of the image [px].
        patch_size: Side of a patch [px].
        objects: Objects in the image: boxes, or the foreground of a mask.
        sampling_rate, inner_iterations: Of the sampled gradient.
        small_side: Side of the image for ``'downsampled'`` [px].
        chunk_size: Patches that go through theta1 at once. 0: the config's without gradient; with
            gradient one in the exact gradient, all sampled ones.
        graphs: Patches whose graphs are kept; see :class:`mmpatch.engine.gradients.ExactGradient`.
        memory_budget: Memory that chunk size and graphs are planned for [bytes], as in training; 0: none.
        device: ``'cpu'`` or ``'cuda'``.
        amp: ``'bfloat16'``, ``'float16'`` or empty.
        latent_device: Where Z lives; empty: where theta1 runs.
        latent_stride: Stride of a segmentor's Z [px]; 0: that of its decode head.
        steps: Steps that are measured. A step on an image of one patch comes first, so that the
            optimizer's state exists, and one on the whole image, since its memory is new to the process. If
            the latter takes longer than :data:`LONG`, it is what is measured.
        rows: Height of the image in patches; 0: square. Memory of ours depends on the width.
        ranks: Processes that share the patches of the image.
        compile: Run theta1 through ``torch.compile``. It is compiled before the steps that are measured.
        count: Count the operations of one more step, after those that are measured.
    """

    method: str
    model: str
    side: int
    patch_size: int = 512
    objects: int = 500
    sampling_rate: float = 0.125
    inner_iterations: int = 2
    small_side: int = 1024
    chunk_size: int = 0
    graphs: int = 0
    memory_budget: int = 0
    device: str = 'cpu'
    amp: str = ''
    latent_device: str = ''
    latent_stride: int = 0
    steps: int = 2
    rows: int = 0
    ranks: int = 1
    compile: bool = False
    count: bool = False

    def cfg(self, base: dict[str, Any]) -> dict[str, Any]:
        """The config of the model that is trained."""
        cfg = patch_cfg(base, self.model, self.patch_size)
        if self.latent_stride and self.method in ('sampled', 'exact', 'in_memory'):
            cfg['latent_stride'] = self.latent_stride
        if self.method in ('full', 'checkpointed', 'downsampled'):
            cfg = stock_cfg(cfg)
        cfg['backbone']['with_cp'] = self.method == 'checkpointed'
        if self.compile:
            cfg['compile'] = True
        return cfg


@dataclass(frozen=True)
class Result:
    """What was measured of a cell.

    Attributes:
        cell: The cell.
        seconds: Median time of a step [s]; None if it did not run.
        peak: Highest memory [bytes]: of the process on a CPU, reserved on a GPU.
        idle: Memory of the idle process on a CPU [bytes], 0 on a GPU.
        allocated: Highest allocated memory on a GPU [bytes].
        busy: Median CPU time of a step [s]; that of the busiest process.
        times: Seconds a step by stage.
        need: What it would take at least, where it did not run [bytes].
        loss: Loss of the first step, to compare methods by.
        kept: Memory of what grows with the image in patch-wise training: its pixels and Z with its
            gradient [bytes].
        plan: What a memory budget left room for.
        operations: Floating point operations of the convolutions and matrix products of a step, forward and
            backward, in the process that has most; 0 if they were not counted.
    """

    cell: Cell
    seconds: float | None = None
    peak: int = 0
    idle: int = 0
    allocated: int = 0
    busy: float = 0.0
    times: dict[str, float] | None = None
    need: int = 0
    loss: float = 0.0
    kept: int = 0
    plan: str = ''
    operations: int = 0

    def to_json(self) -> dict[str, Any]:
        """As nested dicts."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Result:
        """The inverse of :meth:`to_json`."""
        return cls(**{**data, 'cell': Cell(**data['cell'])})


def run_cell(cell: Cell, base: dict[str, Any]) -> Result:
    """Train some steps and measure; call it in a fresh process, or in each of several.

    Args:
        cell: What to measure.
        base: Base config of its model.

    Returns:
        Time and memory; the highest peak of all processes.
    """
    group = Mesh.build('patches').group
    torch.manual_seed(0)
    idle = resident_memory() if cell.device == 'cpu' else 0
    patched = cell.method in ('sampled', 'exact')
    monitor = Monitor()
    step = _PatchStep(cell, base, monitor, group) if patched else _step(cell, base)
    step(*_data(cell.patch_size, cell.patch_size, cell))
    height = cell.rows * cell.patch_size or cell.side
    width = cell.side
    if cell.method == 'downsampled':
        height, width = (cell.small_side * x // cell.side for x in (height, width))
    image, sample = _data(height, width, cell)
    plan = ''
    if isinstance(step, _PatchStep) and cell.memory_budget:
        plan = step.plan(image, copy.deepcopy(sample), cell.memory_budget)
    losses, seconds, busy, stages = [], [], [], []
    for _ in range(1 + cell.steps):
        start, worked = perf_counter(), process_time()
        loss, times = step(image, copy.deepcopy(sample))
        if cell.device == 'cuda':
            torch.cuda.synchronize()
        seconds.append(perf_counter() - start)
        busy.append(process_time() - worked)
        losses.append(loss)
        stages.append(times)
        if group.most(seconds[0]) > LONG:  # ranks stop together
            break
    kept = image.nbytes + monitor.memory['latent'] if patched else 0
    result = Result(
        cell,
        median(seconds[1:] or seconds),
        idle=idle,
        busy=group.most(median(busy[1:] or busy)),
        loss=losses[0],
        times=stages[-1],
        kept=kept,
        plan=plan,
    )
    peak = peak_memory()
    if cell.count:  # a dispatch mode makes every operation slower
        with FlopCounterMode(display=False) as counter:
            step(image, sample)
        result = replace(result, operations=int(group.most(counter.get_total_flops())))
    if cell.device == 'cpu':
        return replace(result, peak=int(group.most(peak['process']) * 2**30))
    return replace(
        result,
        peak=int(group.most(peak['reserved']) * 2**30),
        allocated=int(group.most(peak['allocated']) * 2**30),
    )


#: A training step on an image (C, H, W) and its labels: its loss and the time of its stages.
Step = Callable[[Tensor, Any], tuple[float, dict[str, float]]]


def _step(cell: Cell, base: dict[str, Any]) -> Step:
    """A step of plain autograd: stock model on the whole image, or ours on all patches at once."""
    model: Any = build(cell.cfg(base)).to(cell.device)
    wrapper = _optimizer(model, cell)

    def step(image: Tensor, sample: Any) -> tuple[float, dict[str, float]]:
        data = dict(inputs=[image], data_samples=[sample])
        return model.train_step(data, wrapper)['loss'].item(), {}

    return step


class _PatchStep:
    """All optimizer steps that a train loop makes on one image."""

    def __init__(
        self, cell: Cell, base: dict[str, Any], monitor: Monitor, group: PatchGroup
    ) -> None:
        model: Any = build(cell.cfg(base)).to(cell.device)
        model.chunk_size = cell.chunk_size or model.chunk_size
        self._model = model
        chunk = cell.chunk_size or (1 if cell.method == 'exact' else None)
        latent = dict(device=cell.latent_device or None)
        self._gradient = build_gradient(
            dict(type=cell.method, chunk_size=chunk, graphs=cell.graphs, latent=latent)
        )
        schedule = PatchSchedule(cell.sampling_rate, cell.inner_iterations)
        draw = partial(PatchSampler(0).draw, schedule=schedule, epoch=0, iteration=0)
        self._stepper = Stepper(_optimizer(self._model, cell), sharing=group.size)
        self._monitor = monitor
        self._training = (self._gradient, draw, self._stepper, monitor, group)

    def plan(self, image: Tensor, sample: Any, budget: int) -> str:
        """Work as a training on this image with a memory budget [bytes] does; say what fits."""
        data = dict(inputs=[image], data_samples=[sample])
        passes, draws = prepare_batch(self._model, data, *self._training)
        plan = plan_memory(passes, draws, self._gradient, budget)
        apply_plan(plan, passes, self._gradient)
        kept = f', {plan.work.graphs} graphs' if plan.work.graphs else ''
        return f'{plan.work.chunk_size} at a time{kept}'

    def __call__(self, image: Tensor, sample: Any) -> tuple[float, dict[str, float]]:
        data = dict(inputs=[image], data_samples=[sample])
        losses = train_batch(self._model, data, *self._training)
        return float(losses['loss']), self._monitor.take_times()


def _optimizer(model: Any, cell: Cell) -> OptimWrapper:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    if not cell.amp:
        return OptimWrapper(optimizer)
    if cell.device == 'cpu':
        from mmpatch.engine.optimizers import BF16OptimWrapper

        return BF16OptimWrapper(optimizer=optimizer)
    from mmengine.optim import AmpOptimWrapper

    return AmpOptimWrapper(optimizer=optimizer, dtype=cell.amp)


def _data(height: int, width: int, cell: Cell) -> tuple[Tensor, Any]:
    """A seeded image, uint8, with objects of 1 to 5 % of its sides; the same ones at every size."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)
    size = torch.rand(cell.objects, 2, generator=generator) * 0.04 + 0.01
    corner = torch.rand(cell.objects, 2, generator=generator) * (1 - size)
    boxes = torch.cat((corner, corner + size), dim=1)
    boxes *= torch.tensor([width, height, width, height])
    shape = (height, width)
    meta = dict(img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0), img_path='synthetic')
    if cell.model == 'mobilenetv2':
        return image, DataSample(metainfo=meta).set_gt_label(3)
    if cell.model == 'unet':
        mask = torch.zeros(1, height, width, dtype=torch.uint8)
        for x0, y0, x1, y1 in boxes.int().tolist():
            mask[:, y0:y1, x0:x1] = 1
        masked = SegDataSample(metainfo=meta)
        masked.gt_sem_seg = PixelData(data=mask)
        return image, masked
    sample = DetDataSample(metainfo=meta)
    labels = torch.randint(80, (cell.objects,), generator=generator)
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    return image, sample
