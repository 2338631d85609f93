"""Training: loops decide when, gradient strategies decide which way."""

from .gradients import *  # noqa: F403
from .hooks import *  # noqa: F403
from .loops import *  # noqa: F403
from .optimizers import *  # noqa: F403
