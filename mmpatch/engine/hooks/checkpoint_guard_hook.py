"""Refuses checkpoints that belong to another model."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop

from mmpatch.registry import HOOKS


@HOOKS.register_module()
class CheckpointGuardHook(Hook):
    """Compares a checkpoint with the model before mmengine loads what happens to fit.

    mmengine only logs keys that are missing or of another shape, so a model could be tested with
    mostly random weights. Here a checkpoint must fit entirely to be tested or resumed, and for
    the most part to start a training from (a new class layer is fine).

    Args:
        least: Share of the model's values that ``load_from`` must give to start a training.
    """

    def __init__(self, least: float = 0.5) -> None:
        self.least = least

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Check the checkpoint that was read.

        Raises:
            ValueError: If it does not fit; says how much does and names the first differences.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        expected = model.state_dict()
        found = checkpoint.get('state_dict', checkpoint)
        found = {name.removeprefix('module.'): value for name, value in found.items()}
        wrong = [n for n, v in expected.items() if n not in found or found[n].shape != v.shape]
        if not wrong:
            return
        share = 1 - sum(expected[n].numel() for n in wrong) / sum(
            v.numel() for v in expected.values()
        )
        starts_training = isinstance(runner._train_loop, BaseLoop) and not runner._resume
        if starts_training and share >= self.least:
            return
        examples = ', '.join(
            f'{n} (is {tuple(found[n].shape)}, needs {tuple(expected[n].shape)})'
            if n in found
            else f'{n} (missing)'
            for n in wrong[:3]
        )
        raise ValueError(
            f'the checkpoint {runner._load_from or "to resume from"} does not belong to this '
            f'model: {len(wrong)} of {len(expected)} tensors do not fit ({share:.0%} of the '
            f'values do), such as {examples}. Use the config that it was trained with'
        )
