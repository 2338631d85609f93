"""theta2: small networks that read the latent and the global patch's features."""

from .conv_aggregator import ConvAggregator
from .latent_classifier import LatentClassifier
from .latent_cnn import LatentCNN
from .stack_aggregator import StackAggregator

__all__ = ['ConvAggregator', 'LatentCNN', 'LatentClassifier', 'StackAggregator']
