"""A scene that stays in its files, as a training or test sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.structures import SegDataSample

from mmpatch.datasets.raster_image import RasterImage
from mmpatch.registry import TRANSFORMS


class RasterPacking(BaseTransform):
    """Opens an image as a file; what packing a scene and packing a slide share.

    Args:
        bands: Numbers of the image's bands to use, from 0; None: all.
        flip_prob: Probability of each of the two flips.
        fill: Value of pixels without data, see :class:`mmpatch.datasets.raster_image.RasterImage`.
    """

    def __init__(
        self,
        bands: Sequence[int] | None = None,
        flip_prob: float = 0.0,
        fill: float | str = 'mean',
    ) -> None:
        self.bands = bands
        self.flip_prob = flip_prob
        self.fill = fill

    def open(self, path: str) -> tuple[RasterImage, dict[str, Any]]:
        """The image, flipped by chance, and the metadata of its sample."""
        chances = np.random.rand(2)  # noqa: NPY002 (the generator that mmengine seeds)
        vertical, horizontal = (chances < self.flip_prob).tolist()
        image = RasterImage(path, self.bands, (vertical, horizontal), fill=self.fill)
        image.advise_tiling()
        shape = tuple(image.shape[1:])
        return image, dict(img_path=path, ori_shape=shape, img_shape=shape)


@TRANSFORMS.register_module()
class PackRasterScene(RasterPacking):
    """Give image and mask as files that are read window by window; the whole pipeline in one step.

    It takes the place of loading, flipping and packing. Neither the image nor the mask is ever whole
    in memory; the loss reads windows of both. Pixels of the image without data are filled, pixels of
    the mask are never: give them the ignored label where nothing is to be learned.

    Required keys: ``img_path``; optional ``seg_map_path``, ``label_map`` and ``reduce_zero_label``.
    The result has ``inputs``, a :class:`mmpatch.datasets.raster_image.RasterImage`, and
    ``data_samples`` with ``gt_seg_raster``.

    Args:
        bands: Numbers of the image's bands to use, from 0; None: all.
        flip_prob: Probability of each of the two flips.
        fill: Value of the image's pixels without data, see
            :class:`mmpatch.datasets.raster_image.RasterImage`.

    Raises:
        ValueError: If image and mask differ in size, or the mask has several bands.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Open the files of one scene.

        Args:
            results: Its dict from the data set.

        Returns:
            ``inputs`` and ``data_samples``.
        """
        image, meta = self.open(results['img_path'])
        sample = SegDataSample(metainfo=meta)
        if 'seg_map_path' in results:
            mask = RasterImage(
                results['seg_map_path'],
                flips=image.flips,
                label_map=results.get('label_map'),
                reduce_zero_label=bool(results.get('reduce_zero_label')),
                fill=None,
            )
            if mask.shape[0] != 1 or mask.shape[1:] != image.shape[1:]:
                raise ValueError(
                    f'{mask.path} has {mask.shape[0]} band(s) of {mask.shape[1]} x '
                    f'{mask.shape[2]} px, expected one of {image.shape[1]} x '
                    f'{image.shape[2]} px, the size of {image.path}'
                )
            sample.set_field(mask, 'gt_seg_raster')
        return {'inputs': image, 'data_samples': sample}
