"""Data sets and transforms, registered with scope ``mmpatch``."""

import mmpatch.utils.hosts  # noqa: F401  before others import the hosts, with all they say

from .patch_coco_dataset import PatchCocoDataset
from .patch_csv_dataset import PandaDataset, PatchCsvDataset, UltraMNISTDataset
from .patch_seg_dataset import PatchSegDataset
from .sodad_dataset import SODADDataset
from .tju_dhd_dataset import TJUDHDPedestrianDataset, TJUDHDTrafficDataset
from .transforms import (
    InferencerLoader,
    LoadPatchImage,
    LoadSlide,
    PackRasterScene,
    PackRasterSlide,
)

__all__ = [
    'InferencerLoader',
    'LoadPatchImage',
    'LoadSlide',
    'PackRasterScene',
    'PackRasterSlide',
    'PandaDataset',
    'PatchCocoDataset',
    'PatchCsvDataset',
    'PatchSegDataset',
    'SODADDataset',
    'TJUDHDPedestrianDataset',
    'TJUDHDTrafficDataset',
    'UltraMNISTDataset',
]
