"""The data preprocessor of patch-wise segmentors."""

from __future__ import annotations

from typing import Any

from mmseg.models.data_preprocessor import SegDataPreProcessor

from mmpatch.registry import MODELS

from .host_images import HostImages


@MODELS.register_module()
class PatchSegDataPreprocessor(HostImages, SegDataPreProcessor):
    """mmseg's :class:`SegDataPreProcessor` for images that are cut into patches.

    Takes the same arguments, of which those on padding have no effect. Neither images nor label
    maps are moved to the device here; the model asks for windows of both.
    """

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Pass images and labels on as they are.

        Args:
            data: ``inputs``, a list of (C, H, W) images, and ``data_samples``.
            training: Unused, there are no batch augmentations.

        Returns:
            The same keys; ``pad_shape`` set to the size of each image.
        """
        samples = data.get('data_samples')
        for image, sample in zip(data['inputs'], samples or ()):
            sample.set_metainfo({'pad_shape': tuple(image.shape[-2:])})
        return {'inputs': list(data['inputs']), 'data_samples': samples}
