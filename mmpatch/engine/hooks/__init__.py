"""Hooks."""

from .checkpoint_guard_hook import CheckpointGuardHook
from .pending_gradient_hook import PendingGradientHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = ['CheckpointGuardHook', 'PendingGradientHook', 'SafeCheckpointHook']
