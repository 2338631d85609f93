"""The visualizer of detections in very large images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor
from mmdet.visualization import DetLocalVisualizer
from mmdet.visualization.palette import get_palette
from mmengine.dist import master_only
from numpy.typing import NDArray

from mmpatch.registry import VISUALIZERS

from .box_matching import Boxes
from .canvas import Colour
from .colours import class_colours
from .detection_page import PageLayout, draw_page
from .scene import Scene


@VISUALIZERS.register_module()
class PatchDetVisualizer(DetLocalVisualizer):
    """Draws the boxes of an image of any size on one page that a person can read.

    A large image becomes an overview with thin boxes, coloured by class, and details at full
    resolution or magnified where most boxes are; a small one is drawn whole. Where both ground
    truth and predictions are drawn, they are compared: missed objects are tinted red, false
    predictions crossed out, and a line counts them. mmdet's visualizer would draw on a
    canvas of the size of the image, twice.

    Boxes only: masks and segmentation maps are not drawn.

    Args:
        overview_side: Longer side of the overview at most [px].
        whole_side: Images whose longer side is at most this [px] are drawn whole.
        max_details: Details at most.
        iou: Overlap of a prediction from which on an object counts as found.

    All other arguments are those of :class:`mmdet.visualization.DetLocalVisualizer`; those on
    text colours, masks, line width and transparency have no effect.

    Raises:
        ValueError: If a size is not positive, or ``iou`` lies outside (0, 1].
    """

    def __init__(
        self,
        name: str = 'visualizer',  # mmengine's registry of instances wants it in the signature
        *args: Any,
        overview_side: int = 1400,
        whole_side: int = 1000,
        max_details: int = 4,
        iou: float = 0.5,
        **kwargs: Any,
    ) -> None:
        if not 0 < iou <= 1:
            raise ValueError(f'iou must lie in (0, 1], got {iou}')
        self.layout = PageLayout(overview_side, whole_side, max_details)
        self.iou = iou
        super().__init__(name, *args, **kwargs)

    @master_only
    def add_datasample(
        self,
        name: str,
        image: NDArray[Any],
        data_sample: DetDataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        pred_score_thr: float = 0.3,
        step: int = 0,
    ) -> None:
        """Draw an image with its boxes; show it, save it, or give it to the backends.

        Args:
            name: Name of the picture.
            image: (H, W, 3) RGB.
            data_sample: Holds ``gt_instances`` and/or ``pred_instances``, boxes in pixels of
                ``image``.
            draw_gt: Draw the ground truth, if there is one.
            draw_pred: Draw the predictions, if there are any.
            show: Open a window.
            wait_time: Seconds that the window stays; 0: until a key is pressed.
            out_file: Save the picture to this file and not to the backends.
            pred_score_thr: Draw predictions with a higher score.
            step: Step that the backends note.
        """
        if image.dtype != np.uint8:
            image = image.clip(0, 255).astype(np.uint8)
        scene = self._scene(name, data_sample, draw_gt, draw_pred, pred_score_thr)
        page = draw_page(image, scene, self.layout)
        # Without a data sample the host shows and saves what it is given.
        super().add_datasample(
            name, page, None, show=show, wait_time=wait_time, out_file=out_file, step=step
        )

    def _scene(
        self,
        name: str,
        data_sample: DetDataSample | None,
        draw_gt: bool,
        draw_pred: bool,
        score_thr: float,
    ) -> Scene:
        """Collect what to draw."""
        sample = DetDataSample() if data_sample is None else data_sample.cpu()
        objects = _boxes(sample, 'gt_instances') if draw_gt else None
        predictions = _boxes(sample, 'pred_instances') if draw_pred else None
        if predictions is not None:
            predictions = predictions[predictions.scores > score_thr]
        drawn = [boxes.labels for boxes in (objects, predictions) if boxes is not None]
        meta = self.dataset_meta or {}
        classes = tuple(meta.get('classes') or ())
        count = max([len(classes) - 1, *(int(labels.max(initial=0)) for labels in drawn)]) + 1
        return Scene(
            title=Path(sample.metainfo.get('img_path') or name).name,
            classes=classes,
            colours=self._colours(meta.get('palette'), count),
            objects=objects,
            predictions=predictions,
            ignored=_boxes(sample, 'ignored_instances'),
            score_thr=score_thr,
            iou=self.iou,
        )

    def _colours(self, palette: Any, count: int) -> list[Colour]:
        """Readable colours of ``count`` classes; those that a palette lacks are chosen."""
        chosen = palette if self.bbox_color is None else self.bbox_color
        if isinstance(chosen, list) and len(chosen) < count:
            chosen = [*chosen, *get_palette('random', count)[len(chosen) :]]
        return class_colours(get_palette(chosen, count))


def _boxes(sample: DetDataSample, name: str) -> Boxes | None:
    """Boxes of one kind of instances; None if the sample has none of this kind."""
    instances = sample.get(name)
    if instances is None or 'bboxes' not in instances:
        return None
    corners = np.asarray(get_box_tensor(instances.bboxes), dtype=np.float64).reshape(-1, 4)
    labels = np.asarray(instances.labels, dtype=int)
    # Scores keep their type: 0.3 in float32 is more than 0.3 in float64.
    scores = np.asarray(instances.get('scores', np.ones(len(corners))))
    return Boxes(corners, labels, scores)
