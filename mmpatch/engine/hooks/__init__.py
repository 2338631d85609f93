"""Hooks."""

from .baseline_settings_hook import BaselineSettingsHook
from .checkpoint_guard_hook import CheckpointGuardHook
from .data_check_hook import DataCheckHook
from .memory_hook import MemoryHook
from .patch_cls_visualization_hook import PatchClsVisualizationHook
from .patch_det_visualization_hook import PatchDetVisualizationHook
from .patch_seg_visualization_hook import PatchSegVisualizationHook
from .pending_gradient_hook import PendingGradientHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .step_budget_hook import StepBudgetHook
from .time_budget_hook import TimeBudgetHook

__all__ = [
    'BaselineSettingsHook',
    'CheckpointGuardHook',
    'DataCheckHook',
    'MemoryHook',
    'PatchClsVisualizationHook',
    'PatchDetVisualizationHook',
    'PatchSegVisualizationHook',
    'PendingGradientHook',
    'SafeCheckpointHook',
    'StepBudgetHook',
    'TimeBudgetHook',
]
