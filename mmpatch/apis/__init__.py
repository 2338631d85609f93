"""What people call from their own code."""

from .segment_raster import segment_raster

__all__ = ['segment_raster']
