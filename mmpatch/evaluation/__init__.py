"""Evaluation, registered with scope ``mmpatch``."""

from .metrics import (
    MissRateMetric,
    PatchCocoMetric,
    PatchSegMetric,
    SODADMetric,
    WeightedKappa,
)

__all__ = ['MissRateMetric', 'PatchCocoMetric', 'PatchSegMetric', 'SODADMetric', 'WeightedKappa']
