"""theta2: small networks that read the latent and the global patch's features."""

from .conv_aggregator import ConvAggregator
from .stack_aggregator import StackAggregator

__all__ = ['ConvAggregator', 'StackAggregator']
