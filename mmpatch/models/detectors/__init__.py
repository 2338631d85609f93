"""Detectors that are trained patch by patch, and the usual way with large images."""

from .patch_detector import PatchDetector
from .sliced_detector import SlicedDetector

__all__ = ['PatchDetector', 'SlicedDetector']
