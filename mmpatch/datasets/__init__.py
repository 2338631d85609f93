"""Data sets and transforms, registered with scope ``mmpatch``."""

from .patch_coco_dataset import PatchCocoDataset
from .patch_seg_dataset import PatchSegDataset
from .sodad_dataset import SODADDataset
from .transforms import LoadPatchImage

__all__ = ['LoadPatchImage', 'PatchCocoDataset', 'PatchSegDataset', 'SODADDataset']
