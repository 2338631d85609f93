"""Ways to get the gradient of a batch patch by patch."""

from .base import BatchContext, GradientStrategy, NonFiniteLossError
from .sampled import SampledGradient

__all__ = ['BatchContext', 'GradientStrategy', 'NonFiniteLossError', 'SampledGradient']
