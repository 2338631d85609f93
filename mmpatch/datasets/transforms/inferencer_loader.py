"""The first step of the host libraries' Inferencers, with our reader."""

from __future__ import annotations

from typing import Any

from mmseg.datasets.transforms.loading import InferencerLoader as HostLoader
from mmseg.datasets.transforms.loading import LoadImageFromNDArray

from mmpatch.registry import TRANSFORMS

from .load_patch_image import LoadPatchImage


@TRANSFORMS.register_module()
class InferencerLoader(HostLoader):
    """Reads files by :class:`LoadPatchImage`, and takes arrays as they are.

    mmseg's Inferencer renames the step ``LoadImageFromFile`` of a test pipeline to this name and
    keeps the step's scope ``mmpatch``.

    Args:
        to_float32: Whether to give ``float32`` instead of ``uint8``.
        **kwargs: Of :class:`LoadPatchImage`.
    """

    def __init__(self, to_float32: bool = False, **kwargs: Any) -> None:
        # The host's constructor would build the host's reader.
        self.from_file = LoadPatchImage(to_float32=to_float32, **kwargs)
        self.from_ndarray = LoadImageFromNDArray(to_float32=to_float32)
