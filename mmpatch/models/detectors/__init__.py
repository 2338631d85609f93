"""Detectors that are trained patch by patch, and the usual way with large images."""

from .patch_detector import PatchDetector
from .patch_stitched_detector import PatchStitchedDetector
from .sliced_detector import SlicedDetector

__all__ = ['PatchDetector', 'PatchStitchedDetector', 'SlicedDetector']
