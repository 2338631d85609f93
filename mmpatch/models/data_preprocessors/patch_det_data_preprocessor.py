"""The data preprocessor of patch-wise detectors."""

from __future__ import annotations

from typing import Any

from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.models.utils.misc import samplelist_boxtype2tensor

from mmpatch.registry import MODELS

from .host_images import HostImages


@MODELS.register_module()
class PatchDetDataPreprocessor(HostImages, DetDataPreprocessor):
    """mmdet's :class:`DetDataPreprocessor` for images that are cut into patches.

    Takes the same arguments. Images are neither normalised, nor padded, nor stacked, nor moved to
    the device here; the model asks for patches through :meth:`to_input`.
    """

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Move the labels; keep the images.

        Args:
            data: ``inputs``, a list of (C, H, W) images, and ``data_samples``.
            training: Unused, there are no batch augmentations.

        Returns:
            The same keys; boxes as tensors, ``batch_input_shape`` and ``pad_shape`` set to the
            size of each image.
        """
        data = self.cast_data(data)
        samples = data.setdefault('data_samples', None)
        if samples is not None:
            for image, sample in zip(data['inputs'], samples):
                size = tuple(image.shape[-2:])
                sample.set_metainfo({'batch_input_shape': size, 'pad_shape': size})
            if self.boxtype2tensor:
                samplelist_boxtype2tensor(samples)
        return data
