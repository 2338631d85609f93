"""A scene that stays in its files, as a training or test sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.structures import SegDataSample

from mmpatch.datasets.raster_image import RasterImage
from mmpatch.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackRasterScene(BaseTransform):
    """Give image and mask as files that are read window by window; the whole pipeline in one step.

    It takes the place of loading, flipping and packing. The image is never whole in memory; nor is
    the mask, whose windows the loss asks for.

    Required keys: ``img_path``; optional ``seg_map_path``. The result has ``inputs``, a
    :class:`mmpatch.datasets.raster_image.RasterImage`, and ``data_samples`` with
    ``gt_seg_raster``.

    Args:
        bands: Numbers of the image's bands to use, from 0; None: all.
        flip_prob: Probability of each of the two flips.

    Raises:
        ValueError: If image and mask differ in size, or the mask has several bands.
    """

    def __init__(self, bands: Sequence[int] | None = None, flip_prob: float = 0.0) -> None:
        self.bands = bands
        self.flip_prob = flip_prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Open the files of one scene.

        Args:
            results: Its dict from the data set.

        Returns:
            ``inputs`` and ``data_samples``.
        """
        chances = np.random.rand(2)  # noqa: NPY002 (the generator that mmengine seeds)
        vertical, horizontal = (chances < self.flip_prob).tolist()
        flips = (vertical, horizontal)
        image = RasterImage(results['img_path'], self.bands, flips)
        image.advise_tiling()
        shape = tuple(image.shape[1:])
        sample = SegDataSample(
            metainfo=dict(img_path=results['img_path'], ori_shape=shape, img_shape=shape)
        )
        if 'seg_map_path' in results:
            mask = RasterImage(
                results['seg_map_path'], flips=flips, label_map=results.get('label_map')
            )
            if mask.shape[0] != 1 or mask.shape[1:] != image.shape[1:]:
                raise ValueError(
                    f'{mask.path} has {mask.shape[0]} band(s) of {mask.shape[1]} x '
                    f'{mask.shape[2]} px, expected one of {shape[0]} x {shape[1]} px, the size of '
                    f'{image.path}'
                )
            sample.set_field(mask, 'gt_seg_raster')
        return {'inputs': image, 'data_samples': sample}
