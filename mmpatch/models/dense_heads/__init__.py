"""Dense heads that score patches."""

from .patch_fcos_head import PatchFCOSHead

__all__ = ['PatchFCOSHead']
