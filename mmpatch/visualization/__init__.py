"""Pictures of detections, of what training draws, and of its losses."""

from .loss_curves import plot_losses
from .patch_det_visualizer import PatchDetVisualizer

__all__ = ['PatchDetVisualizer', 'plot_losses']
