"""Hooks."""

from .checkpoint_guard_hook import CheckpointGuardHook
from .norm_eval_hook import NormEvalHook
from .pending_gradient_hook import PendingGradientHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = ['CheckpointGuardHook', 'NormEvalHook', 'PendingGradientHook', 'SafeCheckpointHook']
