"""mmseg's own inference API on our models."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.apis import MMSegInferencer
from PIL import Image

from mmpatch.datasets import LoadPatchImage
from mmpatch.testing.tiny_detector import image
from mmpatch.testing.tiny_segmentor import build_segmentor, segmentor_cfg

ROOT = Path(__file__).parents[2]


def _inferencer(tmp_path: Path) -> MMSegInferencer:
    cfg = Config.fromfile(ROOT / 'configs' / 'patch_unet_drive.py')
    cfg.model = segmentor_cfg()
    checkpoint = tmp_path / 'tiny.pth'
    meta = dict(
        dataset_meta=dict(classes=('background', 'vessel'), palette=[[0, 0, 0], [6, 230, 230]])
    )
    torch.save(dict(state_dict=build_segmentor(double=False).state_dict(), meta=meta), checkpoint)
    logging.disable(logging.INFO)
    inferencer = MMSegInferencer(model=cfg, weights=str(checkpoint), device='cpu')
    logging.disable(logging.NOTSET)
    return inferencer


@pytest.mark.slow
def test_mmseg_inferencer(tmp_path: Path) -> None:
    inferencer = _inferencer(tmp_path)
    picture = tmp_path / 'picture.png'
    Image.fromarray(image(97, 210).permute(1, 2, 0).numpy()).save(picture)
    found = inferencer(str(picture), out_dir=str(tmp_path), show=False)['predictions']
    data = inferencer.pipeline(str(picture))
    model = build_segmentor(double=False).eval()
    (expected,) = model.predict([data['inputs']], [data['data_samples']])
    assert np.array_equal(found, expected.pred_sem_seg.data[0])
    assert found.shape == (97, 210) and set(np.unique(found)) == {0, 1}
    assert list((tmp_path / 'vis').iterdir()) and list((tmp_path / 'pred').iterdir())


@pytest.mark.slow
def test_it_reads_as_training_does(
    tmp_path: Path, awkward_images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    load = _inferencer(tmp_path).pipeline.transforms[0]
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    for path in awkward_images:
        expected = LoadPatchImage()({'img_path': str(path)})['img']
        for given in (str(path), expected, dict(img_path=str(path))):
            assert np.array_equal(load(given)['img'], expected), path.name
