"""Pictures of what a classifier looked at, in a test written to a folder of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from numpy.typing import NDArray

from mmpatch.datasets.raster_image import RasterImage
from mmpatch.registry import HOOKS
from mmpatch.visualization.mask_page import visible, visible_range
from mmpatch.visualization.relevance_page import draw_relevance_page
from mmpatch.visualization.safe_drawing import safe_drawing


@HOOKS.register_module()
class PatchClsVisualizationHook(Hook):
    """Draws the images of a test with the relevance of their patches for the predicted class.

    Its arguments are those of mmdet's hook, so that ``tools/test.py --show-dir`` is the same for all
    tasks. A picture that fails is logged and costs no metric.

    Args:
        draw: Whether to draw at all.
        show: Show each picture in a window.
        wait_time: Time that a window stays [s].
        test_out_dir: Folder for the pictures, below the run's.
        side: Longer side of the reduced image [px].
        max_images: Images drawn at most.
    """

    def __init__(
        self,
        draw: bool = False,
        show: bool = False,
        wait_time: float = 0.0,
        test_out_dir: str | None = None,
        side: int = 480,
        max_images: int = 100,
    ) -> None:
        self.draw = draw
        self.show = show
        self.wait_time = wait_time
        self.test_out_dir = test_out_dir
        self.side = side
        self.max_images = max_images
        self._drawn = 0

    def before_test(self, runner: Runner) -> None:
        """Ask the model for relevances."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if self.draw and hasattr(model, 'explain'):
            model.explain = True
        self._drawn = 0

    @master_only
    @safe_drawing
    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] = ()
    ) -> None:
        """Draw the images of a batch."""
        for sample in outputs if self.draw else ():
            if self._drawn >= self.max_images or 'patch_relevance' not in sample:
                return
            self._drawn += 1
            page = self._page(sample, runner.visualizer.dataset_meta or {})
            path = Path(sample.img_path)
            if self.show:
                runner.visualizer.show(page, win_name=path.name, wait_time=self.wait_time)
            if self.test_out_dir is not None:
                folder = Path(runner.work_dir) / runner.timestamp / self.test_out_dir
                mmcv.imwrite(page[..., ::-1], str(folder / f'{path.stem}.png'))

    def _page(self, sample: Any, meta: dict[str, Any]) -> NDArray[Any]:
        raster = RasterImage(sample.img_path)
        _, height, width = raster.shape
        scale = min(1.0, self.side / max(height, width))
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        pixels = raster.view((0, 0, width, height), size)
        relevance = sample.patch_relevance.cpu().numpy()
        seen = sample.patch_side * size[1] / sample.img_shape[1]
        classes = meta.get('classes')

        def name(label: Any) -> str:
            return str(classes[int(label)]) if classes else str(int(label))

        score = float(np.max(sample.pred_score.cpu().numpy()))
        caption = (
            f'{Path(sample.img_path).name}, {width} x {height} px: '
            f'predicted {name(sample.pred_label)} ({score:.0%})'
        )
        if 'gt_label' in sample:
            right = int(sample.gt_label) == int(sample.pred_label)
            caption += ', right' if right else f', wrong: it is {name(sample.gt_label)}'
        return draw_relevance_page(caption, visible(pixels, visible_range(pixels)), relevance, seen)
