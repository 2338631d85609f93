"""Ways to get the gradient of a batch patch by patch."""

from .build import build_gradient
from .exact import ExactGradient
from .passes import Losses, Passes
from .sampled import SampledGradient
from .strategy import GradientStrategy
from .workload import Workload

__all__ = [
    'ExactGradient',
    'GradientStrategy',
    'Losses',
    'Passes',
    'SampledGradient',
    'Workload',
    'build_gradient',
]
