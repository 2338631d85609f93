"""BatchNorm with fixed statistics for models that have no switch for it."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from torch.nn.modules.batchnorm import _BatchNorm

from mmpatch.registry import HOOKS


@HOOKS.register_module()
class NormEvalHook(Hook):
    """Keeps all BatchNorm layers in evaluation mode during training.

    For stock models whose backbone has no ``norm_eval``, so that baselines are trained with the
    same policy as patch-wise models.
    """

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Undo what ``model.train()`` did to BatchNorm layers at the start of the epoch."""
        for module in runner.model.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
