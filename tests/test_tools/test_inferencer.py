"""mmdet's own inference API on our models."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.config import Config
from PIL import Image

from mmpatch.datasets import LoadPatchImage
from mmpatch.testing.tiny_detector import build_detector, detector_cfg, image

ROOT = Path(__file__).parents[2]


def _inferencer(tmp_path: Path) -> DetInferencer:
    cfg = Config.fromfile(ROOT / 'configs' / 'patch_fcos_yellowstone.py')
    head = dict(num_classes=1)
    cfg.model = detector_cfg(patch_size=64, head=dict(head))
    checkpoint = tmp_path / 'tiny.pth'
    model = build_detector(double=False, head=dict(head))
    meta = dict(dataset_meta=dict(classes=('tree',)))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), checkpoint)
    logging.disable(logging.INFO)
    inferencer = DetInferencer(
        model=cfg, weights=str(checkpoint), device='cpu', show_progress=False
    )
    logging.disable(logging.NOTSET)
    return inferencer


@pytest.mark.slow
def test_det_inferencer(tmp_path: Path) -> None:
    """One image of another shape than any in training."""
    inferencer = _inferencer(tmp_path)
    picture = tmp_path / 'picture.png'
    Image.fromarray(image(97, 210).permute(1, 2, 0).numpy()).save(picture)
    found = inferencer(str(picture), out_dir=str(tmp_path), no_save_pred=False)['predictions'][0]
    boxes = np.array(found['bboxes'])
    assert len(boxes) == len(found['scores']) > 20
    assert boxes[:, 2].max() <= 210 and boxes[:, 3].max() <= 97
    assert list((tmp_path / 'vis').iterdir()) and list((tmp_path / 'preds').iterdir())


@pytest.mark.slow
def test_it_reads_as_training_does(
    tmp_path: Path, awkward_images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    inferencer = _inferencer(tmp_path)
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    for path in awkward_images:
        expected = LoadPatchImage()({'img_path': str(path)})['img']
        found = inferencer.pipeline(str(path))['inputs'].permute(1, 2, 0).numpy()
        assert np.array_equal(found, expected), path.name
    array = inferencer.pipeline(expected)['inputs'].permute(1, 2, 0).numpy()
    assert np.array_equal(array, expected)
