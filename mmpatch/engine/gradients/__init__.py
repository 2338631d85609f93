"""Ways to get the gradient of a batch patch by patch."""

from .base import BatchContext, GradientStrategy, NonFiniteLossError
from .build import build_gradient
from .exact import ExactGradient
from .sampled import SampledGradient

__all__ = [
    'BatchContext',
    'ExactGradient',
    'GradientStrategy',
    'NonFiniteLossError',
    'SampledGradient',
    'build_gradient',
]
