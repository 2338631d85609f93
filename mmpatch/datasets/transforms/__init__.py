"""Transforms for data pipelines."""

from .color_jitter import ColorJitter
from .inferencer_loader import InferencerLoader
from .load_patch_image import LoadPatchImage
from .load_slide import LoadSlide
from .pack_raster_scene import PackRasterScene
from .pack_raster_slide import PackRasterSlide

__all__ = [
    'ColorJitter',
    'InferencerLoader',
    'LoadPatchImage',
    'LoadSlide',
    'PackRasterScene',
    'PackRasterSlide',
]
