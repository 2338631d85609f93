"""Metrics."""

from .patch_coco_metric import PatchCocoMetric
from .sodad_metric import SODADMetric

__all__ = ['PatchCocoMetric', 'SODADMetric']
