"""What patch-wise detectors share: frames and prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.models.detectors import SingleStageDetector
from mmengine.structures import InstanceData
from torch import Tensor

from mmpatch.models.frames import FrameSplit, Samples, SeenScales
from mmpatch.models.patch_model import PatchModelMixin
from mmpatch.patching import PatchBatch


class BasePatchDetector(PatchModelMixin, SingleStageDetector):
    """A single-stage detector of mmdet that is trained patch by patch.

    The global patch serves two ends, and either can be switched off. As a *frame* it finds the
    objects that are too large for a patch, on its own feature levels, as a downsampled image would.
    *Fused*, it tells every patch what is around it.

    Args:
        bbox_head: Config of the head.
        patch_size: Side P of a patch [px].
        global_patch: Encode the whole image, resized to one patch, too.
        global_frame: Whether large objects are found in the global patch. A dict sets ``min_cells``,
            ``max_share`` or ``stride`` of :class:`mmpatch.models.frames.FrameSplit`.
        fuse: Join the global patch's features to the local ones by an aggregator.

    Raises:
        ValueError: If the global patch would be encoded for nothing.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any] | None = None,
        bbox_head: dict[str, Any] | None = None,
        *args: Any,
        patch_size: int,
        global_patch: bool = True,
        global_frame: bool | dict[str, Any] = True,
        fuse: bool = False,
        **kwargs: Any,
    ) -> None:
        if global_patch and not fuse and global_frame is False:
            raise ValueError(
                'global_patch=True with fuse=False and global_frame=False encodes the global patch '
                'for nothing: set one of the two, or global_patch=False'
            )
        super().__init__(
            backbone,
            neck,
            bbox_head,
            *args,
            patch_size=patch_size,
            global_patch=global_patch,
            **kwargs,
        )
        self.fuse = global_patch and fuse
        self.seen_scales = SeenScales() if global_patch else None
        self.frames: FrameSplit | None = None
        if global_patch and global_frame is not False:
            settings = {} if global_frame is True else dict(global_frame)
            stride = settings.pop('stride', None) or self._finest_stride()
            self.frames = FrameSplit(patch_size, stride, **settings)

    @property
    def reads_global(self) -> bool:
        """Whether the aggregator reads the global patch."""
        return self.fuse

    def _finest_stride(self) -> int:
        """Finest stride of the head's feature levels [px]."""
        generator = getattr(self.bbox_head, 'prior_generator', None)
        if generator is None:
            raise ValueError(
                f'{type(self.bbox_head).__name__} does not tell the strides of its feature levels: '
                'set model.global_frame=dict(stride=...), the finest of them [px]'
            )
        return int(min(max(pair) for pair in generator.strides))

    def cut_frames(
        self, inputs: Sequence[Tensor], data_samples: Samples
    ) -> tuple[PatchBatch[object], Samples, Samples]:
        """Cut the images (C, H, W) of a training batch and share their objects out.

        Returns:
            The batch, and B data samples each with what the patches of the images learn and with
            what their global patches learn (none if these learn nothing of their own).
        """
        batch = self.cut_images(inputs)
        if self.seen_scales is not None and self.training:
            self.seen_scales.note(batch.grids)
        if self.frames is None:
            return batch, data_samples, ()
        return batch, *self.frames(batch, data_samples)

    def detect(
        self, batch: PatchBatch[object], metas: Sequence[dict[str, Any]], rescale: bool
    ) -> list[InstanceData]:
        """Detections in each image of a batch.

        Args:
            batch: The batch of B images.
            metas: Their B meta informations, ``img_shape`` and ``scale_factor`` among them.
            rescale: Give boxes in pixels of the original images.
        """
        raise NotImplementedError

    def predict(
        self, batch_inputs: Sequence[Tensor], batch_data_samples: Any, rescale: bool = True
    ) -> Any:
        """Detect objects in images (C, H, W) of any size.

        Windows of all images go through theta1 together, ``chunk_size`` at a time.

        Args:
            batch_inputs: B images as they come from the pipeline.
            batch_data_samples: Their B data samples. Without a ``scale_factor`` an image counts as
                not resized.
            rescale: Give boxes in pixels of the original images.

        Returns:
            The data samples with ``pred_instances``.
        """
        batch = self.cut_images(batch_inputs)
        if self.seen_scales is not None:
            for grid in batch.grids:
                self.seen_scales.check(grid)
        metas = [{'scale_factor': (1.0, 1.0), **sample.metainfo} for sample in batch_data_samples]
        results = self.detect(batch, metas, rescale)
        return self.add_pred_to_datasample(batch_data_samples, results)
