"""Detectors that are trained patch by patch."""

from .patch_detector import PatchDetector

__all__ = ['PatchDetector']
