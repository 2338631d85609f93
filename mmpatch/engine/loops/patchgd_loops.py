"""PatchGD as train loops of mmengine, by epochs and by iterations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch import Tensor
from torch.utils.data import DataLoader

from mmpatch.engine.gradients import BatchContext, NonFiniteLossError, build_gradient
from mmpatch.engine.hooks import PendingGradientHook
from mmpatch.engine.memory.plan import apply_plan, plan_memory
from mmpatch.engine.memory.size import parse_size
from mmpatch.models.protocol import PatchModel
from mmpatch.patching import PatchBatch, PatchSampler, PatchSchedule
from mmpatch.registry import LOOPS

from .seeding import randomness_kept, seed_everything


class PatchGDMixin:
    """Replaces the one ``train_step`` of a host loop by J inner iterations.

    Args:
        gradient: The gradient strategy, ``'sampled'`` or ``'exact'``, or a config with more of its
            settings, such as ``dict(type='exact', chunk_size=2)``.
        sampling_rate: Share of the patches that one inner iteration trains on, in (0, 1].
        inner_iterations: Number J of inner iterations a batch; None: once through the grid.
        memory_budget: Memory that the training may take, such as ``'4GiB'``: of the GPU, or of the
            process on a CPU. Before the training starts, the gradient strategy's chunk size (and
            on a GPU the place of Z) are chosen so that it is kept; the result stays the same.

    All other arguments are those of the host's loop. How many inner iterations make a step is
    the optimizer wrapper's ``accumulative_counts``.
    """

    runner: Any
    dataloader: Any
    _iter: int
    _epoch: int
    _max_iters: int

    def __init__(
        self,
        *args: Any,
        gradient: str | dict[str, Any] = 'sampled',
        sampling_rate: float = 0.25,
        inner_iterations: int | None = None,
        memory_budget: str | int | None = None,
        **kwargs: Any,
    ) -> None:
        self.budget = None if memory_budget is None else parse_size(memory_budget)
        #: What of the training takes how much memory [bytes].
        self.memory: dict[str, int] = {}
        self.schedule = PatchSchedule(sampling_rate, inner_iterations)
        self.gradient = build_gradient(gradient)
        if not self.gradient.samples:
            self.schedule = PatchSchedule(sampling_rate=1.0, inner_iterations=1)
        super().__init__(*args, **kwargs)
        model = self._bare_model
        if not isinstance(model, PatchModel):
            raise TypeError(
                f'{type(self).__name__} trains models that can be cut into patches, such as '
                f"'mmpatch.PatchDetector'; got {type(model).__name__}. For other models use "
                "mmengine's own train loops"
            )
        self.runner.model.train()
        self.gradient.check(model)
        self.runner.register_hook(PendingGradientHook(), priority='VERY_LOW')

    @property
    def _bare_model(self) -> Any:
        model = self.runner.model
        return model.module if is_model_wrapper(model) else model

    def plan(self) -> None:
        """Choose what keeps the memory budget, from a dry run on a batch of the largest image."""
        if self.budget is None:
            return
        with randomness_kept():
            context = self._context(_largest_batch(self.dataloader))
            plan = plan_memory(context, self.gradient, self.budget)
        apply_plan(plan, context, self.gradient)
        self.runner.logger.info(f'Memory budget:\n{plan.table()}')

    def train_step(self, data_batch: dict[str, Any]) -> dict[str, Any]:
        """Train on one batch of the data loader; what to log."""
        context = self._context(data_batch)
        try:
            logged: dict[str, Any] = self.gradient(context)
        except NonFiniteLossError:
            self._save_last_good()
            raise
        logged.update({f'{stage}_time': spent for stage, spent in context.times.items()})
        return logged

    def _context(self, data_batch: dict[str, Any]) -> BatchContext:
        model = self._bare_model
        data = model.data_preprocessor(data_batch, True)
        batch = model.cut(data['inputs'], data['data_samples'])
        self.memory['image'] = sum(image.nbytes for image in batch.images)
        return BatchContext(
            model,
            batch,
            self.draw(batch),
            self.runner.optim_wrapper,
            _names(data['data_samples']),
            memory=self.memory,
        )

    def draw(self, batch: PatchBatch) -> list[Tensor]:
        """Patches of the J inner iterations: K of each image of the batch, as flat numbers."""
        sampler = PatchSampler(self.runner.seed)
        by_image = [
            sampler.draw(
                len(batch.of_image(image)),
                self.schedule.patches_per_round(len(batch.of_image(image))),
                self.schedule.rounds,
                epoch=self._epoch,
                iteration=self._iter,
                stream=image * get_world_size() + get_rank(),
            )
            for image in range(batch.num_images)
        ]
        return [
            torch.cat([part.sort().values + start for part, start in zip(parts, batch.starts)])
            for parts in zip(*by_image)
        ]

    def _count_inner_iterations(self, start: int, stop: int) -> None:
        """Tell the optimizer wrapper how many backward calls there will be.

        It then makes the last step where they do not divide by ``accumulative_counts``.
        """
        rounds = self.schedule.rounds
        self.runner.optim_wrapper.initialize_count_status(
            self.runner.model, start * rounds, stop * rounds
        )

    def _run_iter(self, index: int, data_batch: dict[str, Any]) -> None:
        self.runner.call_hook('before_train_iter', batch_idx=index, data_batch=data_batch)
        outputs = self.train_step(data_batch)
        self.runner.call_hook(
            'after_train_iter', batch_idx=index, data_batch=data_batch, outputs=outputs
        )
        self._iter += 1

    def _save_last_good(self) -> None:
        """Save the weights as the last step left them, without gradients that wait for a step."""
        self.runner.optim_wrapper.zero_grad()
        self.runner.save_checkpoint(
            self.runner.work_dir,
            'last_good.pth',
            meta=dict(epoch=self._epoch, iter=self._iter),
            backend_args=dict(backend='mmpatch_atomic'),
        )
        self.runner.logger.error(f'saved the last good state: {self.runner.work_dir}/last_good.pth')


@LOOPS.register_module()
class PatchGDTrainLoop(PatchGDMixin, EpochBasedTrainLoop):
    """PatchGD by epochs; accumulated gradients are stepped at the end of each epoch."""

    def run(self) -> Any:
        """The whole training."""
        self.plan()
        return super().run()

    def run_epoch(self) -> None:
        """One epoch, with data that depends on (seed, epoch, rank) alone."""
        seed_everything(self.runner.seed, self._epoch)
        self._count_inner_iterations(0, len(self.dataloader))
        super().run_epoch()

    def run_iter(self, idx: int, data_batch: Sequence[dict[str, Any]]) -> None:
        """One batch."""
        self._run_iter(idx, data_batch)  # type: ignore[arg-type]


@LOOPS.register_module()
class PatchGDIterTrainLoop(PatchGDMixin, IterBasedTrainLoop):
    """PatchGD by iterations; accumulation goes on from batch to batch until the end."""

    def run(self) -> Any:
        """The whole training."""
        self.plan()
        self._count_inner_iterations(self._iter, self._max_iters)
        return super().run()

    def run_iter(self, data_batch: Sequence[dict[str, Any]]) -> None:
        """One batch."""
        self._run_iter(self._iter, data_batch)  # type: ignore[arg-type]


def _largest_batch(dataloader: DataLoader[Any]) -> Any:
    """A batch of the data set's largest image, as often as the batch size says."""
    dataset: Any = dataloader.dataset
    index = 0
    if hasattr(dataset, 'get_data_info'):
        dataset.full_init()
        infos = (dataset.get_data_info(i) for i in range(len(dataset)))
        areas = [info.get('height', 0) * info.get('width', 0) for info in infos]
        index = areas.index(max(areas))
    assert dataloader.collate_fn is not None
    return dataloader.collate_fn([dataset[index]] * (dataloader.batch_size or 1))


def _names(samples: Sequence[Any]) -> list[str]:
    return [str(sample.metainfo.get('img_path', '(unnamed image)')) for sample in samples]
