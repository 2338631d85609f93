"""Train loops."""

from .patchgd_loops import PatchGDIterTrainLoop, PatchGDTrainLoop
from .seeding import seed_everything, seed_worker

__all__ = ['PatchGDIterTrainLoop', 'PatchGDTrainLoop', 'seed_everything', 'seed_worker']
