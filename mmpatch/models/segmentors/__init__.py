"""Segmentors that are trained patch by patch."""

from .patch_segmentor import PatchSegmentor

__all__ = ['PatchSegmentor']
