"""theta2: small networks that read the latent and the global patch's features."""

from .attention_pooling import AttentionPooling
from .class_counts import ClassCounts
from .class_sum import ClassSum
from .conv_aggregator import ConvAggregator
from .latent_classifier import LatentClassifier
from .latent_cnn import LatentCNN
from .latent_mobilenet import LatentMobileNetV2

__all__ = [
    'AttentionPooling',
    'ClassCounts',
    'ClassSum',
    'ConvAggregator',
    'LatentCNN',
    'LatentClassifier',
    'LatentMobileNetV2',
]
