"""mmpretrain's own inference API on our models."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.apis import ImageClassificationInferencer
from PIL import Image

from mmpatch.datasets import LoadPatchImage
from mmpatch.testing.tiny_classifier import build_classifier, classifier_cfg
from mmpatch.testing.tiny_detector import image

ROOT = Path(__file__).parents[2]


def _inferencer(tmp_path: Path, model: Any) -> ImageClassificationInferencer:
    cfg = Config.fromfile(ROOT / 'configs' / 'patch_mobilenetv2_digits.py')
    cfg.model = classifier_cfg()
    first = cfg.test_dataloader.dataset.pipeline[0]
    cfg.test_dataloader.dataset.pipeline = [first, dict(type='PackInputs')]
    path = tmp_path / 'tiny.py'
    cfg.dump(path)
    checkpoint = tmp_path / 'tiny.pth'
    meta = dict(dataset_meta=dict(classes=tuple('abcde')))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), checkpoint)
    logging.disable(logging.INFO)
    with DefaultScope.overwrite_default_scope('mmpretrain'):  # tests have mmdet's
        inferencer = ImageClassificationInferencer(
            str(path), pretrained=str(checkpoint), device='cpu'
        )
    logging.disable(logging.NOTSET)
    return inferencer


@pytest.mark.slow
def test_image_classification_inferencer(tmp_path: Path) -> None:
    model = build_classifier(double=False).eval()
    inferencer = _inferencer(tmp_path, model)
    pixels = image(97, 210)
    picture = tmp_path / 'picture.png'
    Image.fromarray(pixels.flip(0).permute(1, 2, 0).numpy()).save(picture)  # read as BGR again
    (found,) = inferencer(str(picture))
    expected = model.predict([pixels])[0]
    assert found['pred_class'] == 'abcde'[int(expected.pred_label)]
    assert np.allclose(found['pred_scores'], expected.pred_score.detach().numpy(), atol=1e-5)


@pytest.mark.slow
def test_it_reads_as_training_does(
    tmp_path: Path, awkward_images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """mmpretrain's Inferencer reads files itself, by OpenCV, which gives the same pixels."""
    inferencer = _inferencer(tmp_path, build_classifier(double=False))
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    for path in awkward_images:
        expected = LoadPatchImage()({'img_path': str(path)})['img']
        (data,) = inferencer.preprocess([str(path)])
        assert np.array_equal(data['inputs'][0].permute(1, 2, 0).numpy(), expected), path.name
