"""A slide that stays in its file, as a sample of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.structures import DataSample

from mmpatch.datasets.raster_image import RasterImage
from mmpatch.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackRasterSlide(BaseTransform):
    """Give an image as a file that is read window by window; the whole pipeline in one step.

    Required key: ``img_path``; optional ``gt_label``. The result has ``inputs``, a
    :class:`mmpatch.datasets.raster_image.RasterImage`, and ``data_samples``.

    Args:
        bands: Numbers of the image's bands to use, from 0; None: all.
        flip_prob: Probability of each of the two flips.
    """

    def __init__(self, bands: Sequence[int] | None = None, flip_prob: float = 0.0) -> None:
        self.bands = bands
        self.flip_prob = flip_prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Open the file of one slide.

        Args:
            results: Its dict from the data set.

        Returns:
            ``inputs`` and ``data_samples``.
        """
        chances = np.random.rand(2)  # noqa: NPY002 (the generator that mmengine seeds)
        vertical, horizontal = (chances < self.flip_prob).tolist()
        image = RasterImage(results['img_path'], self.bands, (vertical, horizontal))
        image.advise_tiling()
        shape = tuple(image.shape[1:])
        sample = DataSample(
            metainfo=dict(img_path=results['img_path'], ori_shape=shape, img_shape=shape)
        )
        if 'gt_label' in results:
            sample.set_gt_label(results['gt_label'])
        return {'inputs': image, 'data_samples': sample}
