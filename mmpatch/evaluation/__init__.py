"""Evaluation, registered with scope ``mmpatch``."""

from .metrics import PatchCocoMetric, SODADMetric

__all__ = ['PatchCocoMetric', 'SODADMetric']
