"""PatchGD as train loops of mmengine, by epochs and by iterations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch import Tensor
from torch.utils.data import DataLoader

from mmpatch.datasets.image_sizes import largest_image
from mmpatch.engine.gradients import build_gradient
from mmpatch.engine.hooks import PendingGradientHook
from mmpatch.engine.memory_plan import apply_plan, plan_memory
from mmpatch.engine.mesh import Mesh
from mmpatch.engine.monitor import Monitor
from mmpatch.engine.stepper import Accumulation, NonFiniteLossError, Stepper
from mmpatch.engine.train_batch import prepare_batch, train_batch
from mmpatch.models.protocol import PatchModel
from mmpatch.patching import PatchSampler, PatchSchedule
from mmpatch.registry import LOOPS
from mmpatch.utils.memory import parse_size

from .seeding import SeededBatches, randomness_kept, seed_everything
from .shared_batches import AlikeCheck, shared_dataloader


class PatchGDMixin:
    """Replaces the one ``train_step`` of a host loop by J inner iterations.

    Args:
        gradient: The gradient strategy, ``'sampled'`` or ``'exact'``, or a config with more of its
            settings, such as ``dict(type='exact', chunk_size=2)``.
        sampling_rate: Share of the patches that one inner iteration trains on, in (0, 1].
        inner_iterations: Number J of inner iterations a batch; None: once through the grid.
        sampled_patches: Number of patches that one inner iteration trains on, in place of a share.
        block: Side of the square blocks in which patches are drawn.
        global_iteration: Train the global patch alone, in one more inner iteration before the J others.
            For models where nothing but its own losses reads it.
        memory_budget: Memory that the training may take, such as ``'4GiB'``: of the GPU, or of the
            process on a CPU. Before the training starts, the gradient strategy's chunk size (and
            on a GPU the place of Z) are chosen so that it is kept; the result stays the same.
        parallel: How several ranks share the work: ``'batches'``, each trains on its own;
            ``'patches'``, all share the patches of one; or groups that do, ``dict(data=2, patch=4)``.
            See :class:`mmpatch.engine.mesh.Mesh`.

    All other arguments are those of the host's loop. How many inner iterations make a step is
    the optimizer wrapper's ``accumulative_counts``.
    """

    runner: Any
    dataloader: Any
    stepper: Stepper
    _iter: int
    _epoch: int
    _max_iters: int

    def __init__(
        self,
        *args: Any,
        gradient: str | dict[str, Any] = 'sampled',
        sampling_rate: float = 0.25,
        inner_iterations: int | None = None,
        sampled_patches: int | None = None,
        block: int = 1,
        global_iteration: bool = False,
        memory_budget: str | int | None = None,
        parallel: str | Sequence[int] | dict[str, int] = 'batches',
        **kwargs: Any,
    ) -> None:
        self.budget = None if memory_budget is None else parse_size(memory_budget)
        self.schedule = PatchSchedule(
            sampling_rate, inner_iterations, sampled_patches, block, global_iteration
        )
        self.gradient = build_gradient(gradient)
        if not self.gradient.samples:
            self.schedule = PatchSchedule(sampling_rate=1.0, inner_iterations=1)
        self.monitor = Monitor()
        self.mesh = Mesh.build(parallel)
        self._alike = AlikeCheck(self.mesh.group)
        if self.mesh.patches > 1:
            kwargs['dataloader'] = shared_dataloader(
                kwargs['runner'], kwargs['dataloader'], self.mesh
            )
        super().__init__(*args, **kwargs)
        model = self._bare_model
        if not isinstance(model, PatchModel):
            raise TypeError(
                f'{type(self).__name__} trains models that can be cut into patches, such as '
                f"'mmpatch.PatchDetector'; got {type(model).__name__}. For other models use "
                "mmengine's own train loops"
            )
        if self.schedule.global_iteration and (model.reads_global or not model.global_patch):
            raise ValueError(
                'global_iteration=True trains the global patch alone, but in this model '
                + ('every patch reads it' if model.global_patch else 'there is none')
                + ': remove train_cfg.global_iteration'
            )
        self.runner.model.train()
        self.gradient.check(model)
        self.runner.register_hook(PendingGradientHook(), priority='NORMAL')

    @property
    def memory(self) -> dict[str, int]:
        """Bytes used per component, where measured."""
        return self.monitor.memory

    @property
    def _bare_model(self) -> Any:
        model = self.runner.model
        return model.module if is_model_wrapper(model) else model

    def start(self) -> None:
        """Prepare the training, once the runner has an optimizer.

        With a memory budget the chunk that keeps it is chosen, by rehearsals on the largest batch.
        """
        self.stepper = Stepper(self.runner.optim_wrapper, sharing=self.mesh.patches)
        if self.budget is None:
            return
        self.runner.logger.info('Memory budget: looking for the largest image')
        with randomness_kept():
            passes, draws = prepare_batch(
                self._bare_model,
                _largest_batch(self.dataloader),
                self.gradient,
                self.draw,
                self.stepper,
                group=self.mesh.group,
            )
            plan = plan_memory(passes, draws, self.gradient, self.budget)
        apply_plan(plan, passes, self.gradient)
        self.runner.logger.info(f'Memory budget:\n{plan.table()}')

    def train_step(self, data_batch: dict[str, Any]) -> dict[str, Any]:
        """Train on one batch of the data loader; values for the log."""
        self.monitor.take_times()  # those of another step that failed
        self._alike(data_batch)
        try:
            logged: dict[str, Any] = train_batch(
                self._bare_model,
                data_batch,
                self.gradient,
                self.draw,
                self.stepper,
                self.monitor,
                self.mesh.group,
            )
        except NonFiniteLossError:
            self._save_last_good()
            raise
        times = self.monitor.take_times()
        logged.update({f'{stage}_time': spent for stage, spent in times.items()})
        return logged

    def draw(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Patches of the J inner iterations of the current batch, as flat numbers.

        Args:
            images: Row and column of every patch in the grid of its image, (N_b, 2) each.
        """
        return PatchSampler(self.runner.seed).draw(
            images,
            self.schedule,
            epoch=self._epoch,
            iteration=self._iter,
            rank=self.mesh.data_rank,
        )

    def _start_counting(self, done: int, total: int) -> None:
        """Count inner iterations from here on, so that the last ones make a step of their own.

        Args:
            done: Iterations of the loop that are done.
            total: Iterations until accumulated gradients have to be stepped.
        """
        rounds = self.schedule.rounds
        every = self.runner.optim_wrapper._accumulative_counts
        self.stepper.accumulation = Accumulation(every, total * rounds, done * rounds)

    def _run_iter(self, index: int, data_batch: dict[str, Any]) -> None:
        self.runner.call_hook('before_train_iter', batch_idx=index, data_batch=data_batch)
        outputs = self.train_step(data_batch)
        self.runner.call_hook(
            'after_train_iter', batch_idx=index, data_batch=data_batch, outputs=outputs
        )
        self._iter += 1

    def _save_last_good(self) -> None:
        """Save the weights as the last step left them, without gradients that wait for a step.

        A loss that is not finite ends the training on all ranks, so the first rank is here too.
        """
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
        self.start()
        return super().run()

    def run_epoch(self) -> None:
        """One epoch, with data that depends on (seed, epoch, rank of the batch) alone."""
        seed_everything(self.runner.seed, self._epoch, self.mesh.data_rank)
        self._start_counting(0, len(self.dataloader))
        super().run_epoch()

    def run_iter(self, idx: int, data_batch: Sequence[dict[str, Any]]) -> None:
        """One batch."""
        self._run_iter(idx, data_batch)  # type: ignore[arg-type]


@LOOPS.register_module()
class PatchGDIterTrainLoop(PatchGDMixin, IterBasedTrainLoop):
    """PatchGD by iterations; accumulation goes on from batch to batch until the end.

    Data depends on (seed, iteration, number of the batch among those of an iteration) alone.
    """

    dataloader_iterator: Any

    def run(self) -> Any:
        """The whole training."""
        self.start()
        batches: Any = self.dataloader_iterator
        workers = self.dataloader.num_workers
        self.dataloader_iterator = SeededBatches(
            batches, self.runner.seed, workers, self.mesh.data_rank
        )
        self._start_counting(self._iter, self._max_iters)
        return super().run()

    def run_iter(self, data_batch: Sequence[dict[str, Any]]) -> None:
        """One batch."""
        self._run_iter(self._iter, data_batch)  # type: ignore[arg-type]


def _largest_batch(dataloader: DataLoader[Any]) -> Any:
    """A batch of the data set's largest image, as often as the batch size says."""
    index = largest_image(dataloader.dataset)
    assert dataloader.collate_fn is not None
    return dataloader.collate_fn([dataloader.dataset[index]] * (dataloader.batch_size or 1))
