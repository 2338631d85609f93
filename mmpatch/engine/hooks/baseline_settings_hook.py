"""What patch-wise models are trained with, for stock models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from mmpatch.models.norms import fix_norms, freeze
from mmpatch.registry import HOOKS


@HOOKS.register_module()
class BaselineSettingsHook(Hook):
    """Trains a stock model with the settings of a patch-wise one, so that the two can be compared.

    Args:
        frozen: Names of submodules that are not trained.
        norm_eval: Keep all BatchNorm layers in evaluation mode.
        channels_last: Keep weights in channels-last order.

    All three mean what they mean in :class:`mmpatch.models.PatchModelMixin`.
    """

    def __init__(
        self, frozen: Sequence[str] = (), norm_eval: bool = False, channels_last: bool = False
    ) -> None:
        self.frozen = frozen
        self.norm_eval = norm_eval
        self.channels_last = channels_last

    def before_run(self, runner: Any) -> None:
        """Freeze, and set the memory format."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        freeze(model, self.frozen)
        if self.channels_last:
            model.to(memory_format=torch.channels_last)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Undo what ``model.train()`` did to BatchNorm layers at the start of the epoch."""
        if self.norm_eval:
            fix_norms(runner.model)
