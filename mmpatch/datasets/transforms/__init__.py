"""Transforms for data pipelines."""

from .load_patch_image import LoadPatchImage

__all__ = ['LoadPatchImage']
