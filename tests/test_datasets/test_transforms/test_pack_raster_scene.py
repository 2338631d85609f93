"""Scenes that stay in their files: windows, flips, and training as on tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from mmengine.dataset import pseudo_collate
from mmseg.datasets.transforms import LoadAnnotations

from mmpatch.datasets import PackRasterScene
from mmpatch.testing.tiny_detector import gradients, image
from mmpatch.testing.tiny_segmentor import build_segmentor, sample


def write(path: Path, pixels: np.ndarray) -> str:
    count, height, width = pixels.shape
    settings = dict(driver='GTiff', tiled=True, blockxsize=32, blockysize=32, dtype=pixels.dtype)
    with rasterio.open(path, 'w', count=count, height=height, width=width, **settings) as target:
        target.write(pixels)
    return str(path)


@pytest.fixture
def scene(tmp_path: Path) -> dict[str, Any]:
    labels = sample(130, 100, 3).gt_sem_seg.data.numpy().astype('uint8')
    return dict(
        img_path=write(tmp_path / 'image.tif', image(130, 100).numpy()),
        seg_map_path=write(tmp_path / 'mask.tif', labels),
    )


@pytest.mark.parametrize('flip', [0.0, 1.0])
def test_training_is_that_on_tensors(scene: dict[str, Any], flip: float) -> None:
    packed = pseudo_collate([PackRasterScene(flip_prob=flip)(scene)])
    label = sample(130, 100, 3)
    picture = image(130, 100)
    if flip:
        picture = picture.flip(1, 2)
        label.gt_sem_seg.data = label.gt_sem_seg.data.flip(1, 2)
    found = []
    for data in (packed, dict(inputs=[picture], data_samples=[label])):
        model: Any = build_segmentor(classes=3).train()
        data = model.data_preprocessor(data, True)
        losses = model.loss(data['inputs'], data['data_samples'])
        sum(v for k, v in losses.items() if 'loss' in k).backward()
        found.append(gradients(model))
    for name, grad in found[0].items():
        assert torch.equal(grad, found[1][name]), name


def test_labels_are_those_of_mmseg(scene: dict[str, Any]) -> None:
    """``reduce_zero_label`` and ``label_map`` give what mmseg's own reader gives."""
    scene = {**scene, 'reduce_zero_label': True, 'label_map': {0: 1, 1: 0}, 'seg_fields': []}
    expected = LoadAnnotations()(dict(scene))['gt_seg_map']
    found = PackRasterScene()(scene)['data_samples'].gt_seg_raster
    assert set(np.unique(expected)) == {0, 1, 255}
    assert np.array_equal(found[:, :, :][0].numpy(), expected)


def test_one_pixel_without_data_spoils_no_prediction(tmp_path: Path) -> None:
    """It reaches the global patch, and through it every pixel."""
    pixels = image(130, 100).numpy().astype('float32')
    model: Any = build_segmentor(double=False).eval()
    expected = model([torch.from_numpy(pixels)])[0]
    pixels[:, 3, 4] = np.nan
    path = write(tmp_path / 'gap.tif', pixels)
    found = model([PackRasterScene()(dict(img_path=path))['inputs']])[0]
    assert torch.isfinite(found).all()
    assert (found - expected).abs().mean() < 0.05 * expected.std()


def test_a_mask_of_another_size(scene: dict[str, Any], tmp_path: Path) -> None:
    scene['seg_map_path'] = write(tmp_path / 'small.tif', np.zeros((1, 64, 64), dtype='uint8'))
    with pytest.raises(ValueError, match=r'small.tif has 1 band\(s\) of 64 x 64 px, expected one'):
        PackRasterScene()(scene)
