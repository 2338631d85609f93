"""Pictures of detections, of what training draws, and of its losses."""

import mmpatch.utils.hosts  # noqa: F401  before others import the hosts, with all they say

from .loss_curves import plot_losses
from .patch_det_visualizer import PatchDetVisualizer
from .patch_seg_visualizer import PatchSegVisualizer

__all__ = ['PatchDetVisualizer', 'PatchSegVisualizer', 'plot_losses']
