"""Dense heads that score patches."""

from .large_image_fcos_head import LargeImageFCOSHead
from .patch_fcos_head import PatchFCOSHead

__all__ = ['LargeImageFCOSHead', 'PatchFCOSHead']
