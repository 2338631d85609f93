"""Pictures of detections that cannot end a test."""

from __future__ import annotations

from mmdet.engine.hooks import DetVisualizationHook

from mmpatch.registry import HOOKS
from mmpatch.visualization.safe_drawing import safe_drawing


@HOOKS.register_module()
class PatchDetVisualizationHook(DetVisualizationHook):
    """mmdet's hook; a picture that fails is logged and costs no metric."""

    after_val_iter = safe_drawing(DetVisualizationHook.after_val_iter)
    after_test_iter = safe_drawing(DetVisualizationHook.after_test_iter)
