"""The data preprocessor of patch-wise classifiers."""

from __future__ import annotations

from typing import Any

from mmpretrain.models.utils import ClsDataPreprocessor

from mmpatch.registry import MODELS

from .host_images import HostImages


@MODELS.register_module()
class PatchClsDataPreprocessor(HostImages, ClsDataPreprocessor):
    """mmpretrain's :class:`ClsDataPreprocessor` for images that are cut into patches.

    Takes the same arguments, of which those on padding have no effect.

    Raises:
        ValueError: With ``to_onehot``, which is there for batch augmentations.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.to_onehot:
            raise ValueError('patch-wise classifiers take labels as numbers: leave out to_onehot')

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Move the labels; keep the images.

        Args:
            data: ``inputs``, a list of (C, H, W) images or one tensor (B, C, H, W), and
                ``data_samples``.
            training: Unused, there are no batch augmentations.

        Returns:
            The same keys, ``inputs`` as a list.
        """
        data = self.cast_data(data)
        data.setdefault('data_samples', None)
        return data
