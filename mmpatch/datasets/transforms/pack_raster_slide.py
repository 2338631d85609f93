"""A slide that stays in its file, as a sample of a classifier."""

from __future__ import annotations

from typing import Any

from mmpretrain.structures import DataSample

from mmpatch.registry import TRANSFORMS

from .pack_raster_scene import RasterPacking


@TRANSFORMS.register_module()
class PackRasterSlide(RasterPacking):
    """Give an image as a file that is read window by window; the whole pipeline in one step.

    Required key: ``img_path``; optional ``gt_label``. The result has ``inputs``, a
    :class:`mmpatch.datasets.raster_image.RasterImage`, and ``data_samples``.

    Args:
        bands: Numbers of the image's bands to use, from 0; None: all.
        flip_prob: Probability of each of the two flips.
        fill: Value of pixels without data, see :class:`mmpatch.datasets.raster_image.RasterImage`.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Open the file of one slide.

        Args:
            results: Its dict from the data set.

        Returns:
            ``inputs`` and ``data_samples``.
        """
        image, meta = self.open(results['img_path'])
        sample = DataSample(metainfo=meta)
        if 'gt_label' in results:
            sample.set_gt_label(results['gt_label'])
        return {'inputs': image, 'data_samples': sample}
