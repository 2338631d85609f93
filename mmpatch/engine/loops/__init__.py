"""Train loops."""

from .patchgd_loops import PatchGDIterTrainLoop, PatchGDTrainLoop

__all__ = ['PatchGDIterTrainLoop', 'PatchGDTrainLoop']
