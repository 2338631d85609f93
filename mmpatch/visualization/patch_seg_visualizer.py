"""The visualizer of masks in very large images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmengine.dist import master_only
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer
from numpy.typing import NDArray

from mmpatch.registry import VISUALIZERS

from .mask_page import View, draw_mask_page, view_image, view_mask, visible, visible_range


@VISUALIZERS.register_module()
class PatchSegVisualizer(SegLocalVisualizer):
    """Draws image, labels and prediction side by side, as :func:`draw_mask_page` does.

    Images of more than 8 bits are stretched to what the eye sees.

    Args:
        panel_side: Longer side of a panel at most [px]; small images are magnified.
        max_details: Details at most.

    All other arguments are those of :class:`mmseg.visualization.SegLocalVisualizer`; ``alpha`` has
    no effect.
    """

    def __init__(
        self,
        name: str = 'visualizer',  # mmengine's registry of instances wants it in the signature
        *args: Any,
        panel_side: int = 640,
        max_details: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, *args, **kwargs)
        self.panel_side = panel_side
        self.max_details = max_details

    @master_only
    def add_datasample(
        self,
        name: str,
        image: NDArray[Any],
        data_sample: SegDataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        step: int = 0,
        with_labels: bool | None = True,
    ) -> None:
        """Draw an image with its masks; show it, save it, or give it to the backends.

        Args:
            name: Name of the picture.
            image: (H, W, 3) RGB; read again from the sample's file if that has more than 8 bits.
            data_sample: Holds ``gt_sem_seg`` and/or ``pred_sem_seg``.
            draw_gt: Draw the labels, if there are any.
            draw_pred: Draw the prediction, if there is one.
            show: Open a window.
            wait_time: Seconds that the window stays; 0: until a key is pressed.
            out_file: Save the picture to this file and not to the backends.
            step: Step that the backends note.
            with_labels: No effect; the legend names the classes.
        """
        sample = SegDataSample() if data_sample is None else data_sample.cpu()
        path = sample.metainfo.get('img_path')
        masks: dict[str, View] = {}
        if draw_gt and 'gt_sem_seg' in sample:
            masks['labels'] = view_mask(sample.gt_sem_seg.data[0].numpy().astype(int))
        if draw_pred and 'pred_sem_seg' in sample:
            masks['prediction'] = view_mask(sample.pred_sem_seg.data[0].numpy().astype(int))
        page = draw_mask_page(
            Path(path or name).name,
            (image.shape[0], image.shape[1]),
            view_image(_as_in_file(image, path)),
            masks,
            self.dataset_meta or {},
            self.panel_side,
            self.max_details,
        )
        if show:
            self.show(page, win_name=name, wait_time=wait_time)
        if out_file is not None:
            mmcv.imwrite(page[..., ::-1], out_file)
        else:
            self.add_image(name, page, step)


def _as_in_file(image: NDArray[Any], path: str | None) -> NDArray[Any]:
    """RGB uint8; files of more than 8 bits are read again and stretched."""
    if path is not None and Path(path).is_file():
        raw = mmcv.imread(path, flag='unchanged')
        if raw is not None and raw.dtype != np.uint8 and raw.shape[:2] == image.shape[:2]:
            raw = raw if raw.ndim == 3 else raw[..., None]
            image = raw[..., [2, 1, 0]] if raw.shape[2] >= 3 else raw
    return visible(image, visible_range(image))
