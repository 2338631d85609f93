"""Sliced prediction with a stock detector, the usual way with large images today."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from mmdet.models.detectors import SingleStageDetector
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from mmpatch.models.dense_heads.shapes import with_shapes
from mmpatch.registry import MODELS


@MODELS.register_module()
class SlicedDetector(SingleStageDetector):
    """A stock single-stage detector that predicts large images in overlapping slices.

    A baseline for patch-wise detectors: it is trained on tiles, which the pipeline crops
    (``RandomCrop``), and sees one slice at a time in prediction. Slices and merging are those of
    SAHI (https://github.com/obss/sahi). Weights are those of mmdet's FCOS, RetinaNet, YOLOX and
    others: their checkpoints load.

    With ``whole_image`` the image is predicted once more as a whole, downsampled to one slice, and all
    detections are merged: SAHI's standard and sliced prediction. Train such a detector on tiles and on
    downsampled images (``RandomChoice`` of ``RandomCrop`` and ``Resize``).

    Args:
        *args: As in :class:`mmdet.models.SingleStageDetector`.
        **kwargs: The same by name.
        slice_size: Side of a slice [px]; as that of the tiles in training.
        overlap_ratio: Overlap of neighbouring slices, share of the side in [0, 1).
        merge: Of boxes of one class that overlap, ``'nms'`` keeps the best, ``'greedy_nmm'`` unites
            them. SAHI's command line unites, by ``match_metric='IOS'``, and drops scores below 0.25
            before; among the boxes of low score that AP counts as well, that makes boxes too large.
        match_threshold: Overlap from which on boxes are one object, in (0, 1].
        match_metric: ``'IOU'``, or ``'IOS'``, intersection over the smaller box.
        whole_image: Predict the downsampled image as well (SAHI's ``perform_standard_pred``). Its aspect
            ratio is kept. Not done where the image fits into one slice.

    Raises:
        ImportError: If SAHI is not installed.
        ValueError: If the slice size is not positive, the overlap is not in [0, 1), or ``merge`` is
            unknown.
    """

    def __init__(
        self,
        *args: Any,
        slice_size: int,
        overlap_ratio: float = 0.2,
        merge: str = 'nms',
        match_threshold: float = 0.5,
        match_metric: str = 'IOU',
        whole_image: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if slice_size < 1 or not 0 <= overlap_ratio < 1:
            raise ValueError(
                f'slice_size must be positive and overlap_ratio in [0, 1), got {slice_size} and '
                f'{overlap_ratio}'
            )
        try:
            from sahi.postprocess.combine import GreedyNMMPostprocess, NMSPostprocess
        except ImportError as error:
            raise ImportError('SlicedDetector needs SAHI: pip install sahi') from error
        self.slice_size = slice_size
        self.overlap_ratio = overlap_ratio
        self.whole_image = whole_image
        kinds = {'nms': NMSPostprocess, 'greedy_nmm': GreedyNMMPostprocess}
        if merge not in kinds:
            raise ValueError(f'merge must be one of {", ".join(kinds)}, got {merge!r}')
        self.merge = kinds[merge](
            match_threshold=match_threshold, match_metric=match_metric, class_agnostic=False
        )

    def predict(self, batch_inputs: Tensor, batch_data_samples: Any, rescale: bool = True) -> Any:
        """Detect objects in images slice by slice, and merge what is found.

        Args:
            batch_inputs: (B, C, H, W), normalised and padded.
            batch_data_samples: Their B data samples.
            rescale: Give boxes in pixels of the original images.

        Returns:
            The data samples with ``pred_instances``.
        """
        results = []
        for image, sample in zip(batch_inputs, batch_data_samples):
            found = self._predict_image(image, sample)
            if rescale:
                factor = sample.metainfo.get('scale_factor', (1, 1))
                found.bboxes /= found.bboxes.new_tensor(factor).repeat(2)
            results.append(found)
        return self.add_pred_to_datasample(batch_data_samples, results)

    def _predict_image(self, image: Tensor, sample: DetDataSample) -> InstanceData:
        """Detections in one image (C, H, W), in its pixels."""
        from sahi.slicing import get_slice_bboxes

        height, width = sample.img_shape
        side = self.slice_size
        slices = get_slice_bboxes(
            height, width, side, side, False, self.overlap_ratio, self.overlap_ratio
        )
        found = []
        for x0, y0, x1, y1 in slices:
            seen = self._predict_slice(image[:, y0:y1, x0:x1])
            seen.bboxes += image.new_tensor([x0, y0, x0, y0])
            found.append(seen)
        if self.whole_image and max(height, width) > side:
            found.append(self._predict_whole(image[:, :height, :width]))
        return self._merged(InstanceData.cat(found), (height, width))

    def _predict_slice(self, part: Tensor) -> InstanceData:
        """Detections in an image of at most one slice, (C, h, w), in its pixels."""
        height, width = part.shape[1:]
        side = self.slice_size
        padded = F.pad(part[None], (0, side - width, 0, side - height))
        size = dict(img_shape=(height, width), ori_shape=(height, width), scale_factor=(1, 1))
        sample = with_shapes(DetDataSample(metainfo=size), (side, side))
        (seen,) = super().predict(padded, [sample], rescale=False)
        return seen.pred_instances

    def _predict_whole(self, image: Tensor) -> InstanceData:
        """Detections in a downsampled image (C, H, W), in its pixels before that."""
        height, width = image.shape[1:]
        scale = self.slice_size / max(height, width)
        size = max(1, round(height * scale)), max(1, round(width * scale))
        # Means over areas, as Resize(interpolation='area') in training gives them.
        (small,) = F.interpolate(image[None], size=size, mode='area')
        seen = self._predict_slice(small)
        seen.bboxes *= image.new_tensor([width / size[1], height / size[0]]).repeat(2)
        return seen

    def _merged(self, found: InstanceData, shape: tuple[int, int]) -> InstanceData:
        """What is left after boxes of the same object, seen in several slices, are merged."""
        from sahi.prediction import ObjectPrediction

        boxes = found.bboxes
        solid = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
        found, boxes = found[solid], boxes[solid]
        merged = self.merge(
            [
                ObjectPrediction(box, label, score=score, full_shape=list(shape))
                for box, label, score in zip(
                    boxes.tolist(), found.labels.tolist(), found.scores.tolist()
                )
            ]
        )
        merged = sorted(merged, key=lambda it: -it.score.value)[: self.test_cfg.max_per_img]
        return InstanceData(
            bboxes=boxes.new_tensor([it.bbox.to_xyxy() for it in merged]).reshape(-1, 4),
            scores=found.scores.new_tensor([it.score.value for it in merged]),
            labels=found.labels.new_tensor([it.category.id for it in merged]),
        )
