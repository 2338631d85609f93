"""Models: theta1 on patches, theta2 on the latent."""

from .aggregators import *  # noqa: F403
from .classifiers import *  # noqa: F403
from .data_preprocessors import *  # noqa: F403
from .dense_heads import *  # noqa: F403
from .detectors import *  # noqa: F403
from .losses import PatchDiceLoss, PatchFocalLoss  # noqa: F401
from .segmentors import *  # noqa: F403
