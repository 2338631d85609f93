"""The patch core: geometry, sampling and latents. Torch only, nothing of OpenMMLab.

Data flow, one direction::

    PatchGrid -> PatchBatch -> PatchSampler -> theta1 -> Latent -> theta2 -> loss

Symbols used in every docstring of the project:

======  =======================================================================
B       images of a batch
N       m * n patches of one image (m rows, n columns of its grid)
A       patches of the whole batch, the sum of N over its images
K       patches drawn for one inner iteration
J       inner iterations per batch
P       side of a patch [px];  Q = P + 2 * halo, side of the window read for it
S       any selection of patches, e.g. those that are scored
D, F    channels of a latent, of a feature map
h, w    cells of one patch on one feature level, P / stride
r       radius of theta2 [cells]: how far it looks into the neighbouring patches
Z       the latent: features of all patches, in their places
======  =======================================================================
"""

from .batch import PatchBatch, Pixels
from .chunks import ChunkOrder
from .grid import PatchGrid
from .latent import Latent
from .sampler import PatchSampler
from .schedule import PatchSchedule
from .store import Features, PatchStore, Storage

__all__ = [
    'ChunkOrder',
    'Features',
    'Latent',
    'PatchBatch',
    'PatchGrid',
    'PatchSampler',
    'PatchSchedule',
    'PatchStore',
    'Pixels',
    'Storage',
]
