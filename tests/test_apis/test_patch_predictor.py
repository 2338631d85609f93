"""One class for all tasks: as the models predict in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config

from mmpatch.apis import PatchPredictor
from mmpatch.benchmark.models import stock_cfg
from mmpatch.testing.tiny_detector import detector_cfg, image

Trained = Callable[..., tuple[Path, Path]]
TASKS = ['detection', 'segmentation', 'classification']
BLENDED = {'model.test_halo': 32, 'model.blend': True}


def array() -> np.ndarray:
    return image(300, 170).numpy().transpose(1, 2, 0)


@pytest.mark.parametrize('context', [{}, {'model.test_halo': 32}, BLENDED, {'model.chunk_size': 7}])
@pytest.mark.parametrize('task', TASKS)
def test_arrays_and_files_alike_and_as_in_memory(
    task: str, context: dict[str, Any], scene: Path, trained: Trained
) -> None:
    if task == 'classification' and context == BLENDED:
        context = {'model.global_patch': False}  # vectors are not blended
    predictor = PatchPredictor(*trained(task), device='cpu', options=context)
    assert predictor.task == task
    found = [predictor(array()), predictor(scene), predictor(str(scene))]
    size = dict(img_shape=(300, 170), ori_shape=(300, 170), scale_factor=(1.0, 1.0))
    samples = [DetDataSample(metainfo=size)] if task == 'detection' else None
    (expected,) = predictor.model.predict([image(300, 170)], samples)
    for one in found:
        if task == 'segmentation':
            assert torch.equal(one.pred_sem_seg.data, expected.pred_sem_seg.data.byte())
        elif task == 'classification':
            assert torch.allclose(one.pred_score, expected.pred_score)
        else:
            wanted = expected.pred_instances
            assert len(wanted) == len(one.pred_instances) > 50
            assert (one.pred_instances.scores.diff() <= 0).all()
            for name in ('scores', 'bboxes', 'labels'):  # chunks of other sizes round otherwise
                own, other = (x[name].double().sort(dim=0)[0] for x in (one.pred_instances, wanted))
                assert torch.allclose(own, other, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize('task', TASKS)
def test_types_of_pixels(task: str, trained: Trained) -> None:
    predictor = PatchPredictor(*trained(task), device='cpu')
    found = [predictor(array().astype(kind)) for kind in (np.uint16, np.float32)]
    if task == 'classification':
        assert torch.equal(found[0].pred_score, found[1].pred_score)


def test_bad_arrays_and_files(trained: Trained, tmp_path: Path) -> None:
    predictor = PatchPredictor(*trained('detection'), device='cpu')
    with pytest.raises(ValueError, match=r'\(300, 170\) is no image: expected \(height, width, ch'):
        predictor(array()[..., 0])
    with pytest.raises(FileNotFoundError, match='no image at'):
        predictor(tmp_path / 'nothing.tif')
    with pytest.raises(ValueError, match='no image that GDAL can read'):
        predictor('/vsizip/nothing.zip/a.tif')


def test_stock_models_are_refused(tmp_path: Path) -> None:
    cfg = Config(dict(model=stock_cfg(detector_cfg()), default_scope='mmdet'))
    with pytest.raises(TypeError, match='is a FCOS, which does not predict patch by patch: expect'):
        PatchPredictor(cfg, tmp_path / 'none.pth')


def test_checkpoints_of_another_model_are_refused(trained: Trained) -> None:
    config, _ = trained('detection')
    with pytest.raises(ValueError, match=r'is the checkpoint of another model: \d+ of \d+ param'):
        PatchPredictor(config, trained('segmentation')[1])


def test_other_suppression_is_refused(trained: Trained, scene: Path) -> None:
    options: dict[str, Any] = {'model.test_cfg.nms.type': 'soft_nms'}
    predictor = PatchPredictor(*trained('detection'), device='cpu', options=options)
    with pytest.raises(ValueError, match="row by row with type='nms'"):
        predictor(scene)
