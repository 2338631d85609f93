"""Data preprocessors that keep images on the host."""

from .host_images import HostImages
from .patch_det_data_preprocessor import PatchDetDataPreprocessor

__all__ = ['HostImages', 'PatchDetDataPreprocessor']
