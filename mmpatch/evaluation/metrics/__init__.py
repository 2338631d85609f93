"""Metrics."""

from .miss_rate_metric import MissRateMetric
from .patch_coco_metric import PatchCocoMetric
from .patch_seg_metric import PatchSegMetric
from .sodad_metric import SODADMetric
from .weighted_kappa import WeightedKappa

__all__ = ['MissRateMetric', 'PatchCocoMetric', 'PatchSegMetric', 'SODADMetric', 'WeightedKappa']
