"""Settings of patch-wise models, for stock models."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch.utils.checkpoint import checkpoint

from mmpatch.models.norms import fix_norms, freeze
from mmpatch.registry import HOOKS


@HOOKS.register_module()
class BaselineSettingsHook(Hook):
    """Trains a stock model with the settings of a patch-wise one, so that the two can be compared.

    Args:
        frozen: Names of submodules that are not trained.
        norm_eval: Keep all BatchNorm layers in evaluation mode.
        channels_last: Keep weights in channels-last order.
        activation_checkpointing: Names of submodules whose activations are computed again in the
            backward pass. mmengine's setting of this name trains nothing in a module whose input
            needs no gradient, such as the first block after frozen ones.

    The first three mean what they mean in :class:`mmpatch.models.PatchModelMixin`.
    """

    def __init__(
        self,
        frozen: Sequence[str] = (),
        norm_eval: bool = False,
        channels_last: bool = False,
        activation_checkpointing: Sequence[str] = (),
    ) -> None:
        self.frozen = frozen
        self.norm_eval = norm_eval
        self.channels_last = channels_last
        self.activation_checkpointing = activation_checkpointing

    def before_run(self, runner: Any) -> None:
        """Freeze, checkpoint activations, and set the memory format."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        freeze(model, self.frozen)
        for name in self.activation_checkpointing:
            module = model.get_submodule(name)
            module.forward = partial(checkpoint, module.forward, use_reentrant=False)
        if self.channels_last:
            model.to(memory_format=torch.channels_last)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Undo what ``model.train()`` did to BatchNorm layers at the start of the epoch."""
        if self.norm_eval:
            fix_norms(runner.model)
