"""Evaluation, registered with scope ``mmpatch``."""

import mmpatch.utils.hosts  # noqa: F401  before others import the hosts, with all they say

from .metrics import (
    MissRateMetric,
    PatchCocoMetric,
    PatchSegMetric,
    SODADMetric,
    WeightedKappa,
)

__all__ = ['MissRateMetric', 'PatchCocoMetric', 'PatchSegMetric', 'SODADMetric', 'WeightedKappa']
