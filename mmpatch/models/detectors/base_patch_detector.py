"""What patch-wise detectors share: prediction, one image after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.models.detectors import SingleStageDetector
from mmengine.structures import InstanceData
from torch import Tensor

from mmpatch.models.patch_model import PatchModelMixin
from mmpatch.patching import PatchBatch


class BasePatchDetector(PatchModelMixin, SingleStageDetector):
    """A single-stage detector of mmdet that is trained patch by patch."""

    def detect(
        self, batch: PatchBatch[object], meta: dict[str, Any], rescale: bool
    ) -> InstanceData:
        """Detections in one image.

        Args:
            batch: A batch of this one image.
            meta: Its meta information, ``img_shape`` and ``scale_factor`` among it.
            rescale: Give boxes in pixels of the original image.
        """
        raise NotImplementedError

    def predict(
        self, batch_inputs: Sequence[Tensor], batch_data_samples: Any, rescale: bool = True
    ) -> Any:
        """Detect objects in images (C, H, W) of any size, one image after the other.

        Args:
            batch_inputs: B images as they come from the pipeline.
            batch_data_samples: Their B data samples. Without a ``scale_factor`` an image counts as
                not resized.
            rescale: Give boxes in pixels of the original images.

        Returns:
            The data samples with ``pred_instances``.
        """
        results = [
            self.detect(
                self.cut_images([image]),
                {'scale_factor': (1.0, 1.0), **sample.metainfo},
                rescale,
            )
            for image, sample in zip(batch_inputs, batch_data_samples)
        ]
        return self.add_pred_to_datasample(batch_data_samples, results)
