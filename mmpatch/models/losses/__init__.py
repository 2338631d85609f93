"""Losses over images of which only a part is in memory at a time."""

from .image_losses import ImageLosses
from .patch_dice_loss import PatchDiceLoss
from .patch_focal_loss import PatchFocalLoss
from .summed_loss import CrossEntropySums, PixelAccuracy, SummedLoss, summed

__all__ = [
    'CrossEntropySums',
    'ImageLosses',
    'PatchDiceLoss',
    'PatchFocalLoss',
    'PixelAccuracy',
    'SummedLoss',
    'summed',
]
