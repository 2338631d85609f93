"""Data sets and transforms, registered with scope ``mmpatch``."""

from .patch_coco_dataset import PatchCocoDataset
from .patch_seg_dataset import PatchSegDataset
from .sodad_dataset import SODADDataset
from .transforms import LoadPatchImage, PackRasterScene

__all__ = [
    'LoadPatchImage',
    'PackRasterScene',
    'PatchCocoDataset',
    'PatchSegDataset',
    'SODADDataset',
]
