"""Pictures of masks, in a test written to a folder of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mmcv
from mmengine.runner import Runner
from mmseg.engine.hooks import SegVisualizationHook

from mmpatch.registry import HOOKS
from mmpatch.visualization.safe_drawing import safe_drawing


@HOOKS.register_module()
class PatchSegVisualizationHook(SegVisualizationHook):
    """mmseg's hook with mmdet's ``test_out_dir``, so that ``tools/test.py --show-dir`` is the same.

    A picture that fails is logged and costs no metric.

    Args:
        *args: Of :class:`mmseg.engine.hooks.SegVisualizationHook`.
        test_out_dir: Folder for the pictures of a test, below the run's; None: as the host does.
        **kwargs: Of :class:`mmseg.engine.hooks.SegVisualizationHook`.
    """

    def __init__(self, *args: Any, test_out_dir: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.test_out_dir = test_out_dir

    after_val_iter = safe_drawing(SegVisualizationHook.after_val_iter)

    @safe_drawing
    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any, outputs: Sequence[Any]
    ) -> None:
        """Draw every image of a test."""
        if self.test_out_dir is None:
            super().after_test_iter(runner, batch_idx, data_batch, outputs)
            return
        folder = Path(runner.work_dir) / runner.timestamp / self.test_out_dir
        for sample in outputs:
            path = sample.img_path
            self._visualizer.add_datasample(
                Path(path).name,
                mmcv.imread(path, channel_order='rgb'),
                data_sample=sample,
                show=self.show,
                wait_time=self.wait_time,
                out_file=str(folder / f'{Path(path).stem}.png'),
            )
