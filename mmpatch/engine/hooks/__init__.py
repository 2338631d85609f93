"""Hooks."""

from .checkpoint_guard_hook import CheckpointGuardHook
from .baseline_settings_hook import BaselineSettingsHook
from .pending_gradient_hook import PendingGradientHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = ['CheckpointGuardHook', 'BaselineSettingsHook', 'PendingGradientHook', 'SafeCheckpointHook']
