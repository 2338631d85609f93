"""What people call from their own code."""

from .segment_raster import draw_overlay, segment_raster

__all__ = ['draw_overlay', 'segment_raster']
