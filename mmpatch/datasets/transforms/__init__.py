"""Transforms for data pipelines."""

from .load_patch_image import LoadPatchImage
from .pack_raster_scene import PackRasterScene

__all__ = ['LoadPatchImage', 'PackRasterScene']
