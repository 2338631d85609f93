"""Data preprocessors that keep images on the host."""

from .host_images import HostImages
from .patch_cls_data_preprocessor import PatchClsDataPreprocessor
from .patch_det_data_preprocessor import PatchDetDataPreprocessor
from .patch_seg_data_preprocessor import PatchSegDataPreprocessor

__all__ = [
    'HostImages',
    'PatchClsDataPreprocessor',
    'PatchDetDataPreprocessor',
    'PatchSegDataPreprocessor',
]
