"""Training: loops decide when, gradient strategies decide which way."""

import mmpatch.utils.hosts  # noqa: F401  before others import the hosts, with all they say

from .gradients import *  # noqa: F403
from .hooks import *  # noqa: F403
from .loops import *  # noqa: F403
from .optimizers import *  # noqa: F403
