"""A scene, and a tiny model of each task with its config and checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rasterio
import torch
from affine import Affine
from mmengine.config import Config

from mmpatch.testing import tiny_classifier, tiny_detector, tiny_segmentor
from mmpatch.testing.tiny_detector import image

ROOT = Path(__file__).parents[2]
TRANSFORM = Affine(0.5, 0, 1000, 0, -0.5, 2000)
#: A detector whose candidates are all kept, as none of its limits bind.
UNLIMITED = dict(
    test_cfg=dict(
        nms_pre=-1, score_thr=0.02, nms=dict(type='nms', iou_threshold=0.5), max_per_img=-1
    )
)
CONFIGS: dict[str, dict[str, Any]] = dict(
    detection=tiny_detector.detector_cfg(**UNLIMITED),
    segmentation=tiny_segmentor.segmentor_cfg(classes=3),
    classification=tiny_classifier.classifier_cfg(),
)
SCOPES = dict(detection='mmdet', segmentation='mmseg', classification='mmpretrain')


def write_scene(path: Path, height: int = 300, width: int = 170, seed: int = 0) -> Path:
    pixels = image(height, width, seed).numpy()
    settings = dict(tiled=True, blockxsize=64, blockysize=64, crs='EPSG:32612', transform=TRANSFORM)
    with rasterio.open(
        path, 'w', driver='GTiff', height=height, width=width, count=3, dtype='uint8', **settings
    ) as target:
        target.write(pixels)
    return path


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_scene(tmp_path / 'scene.tif')


def build(task: str, seed: int = 0) -> Any:
    cfg = CONFIGS[task]
    modules = dict(
        detection=tiny_detector, segmentation=tiny_segmentor, classification=tiny_classifier
    )
    model = modules[task].build(cfg, seed, False)
    return model.eval()


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Write the config and the checkpoint of a tiny model."""

    def write(task: str, seed: int = 0) -> tuple[Path, Path]:
        folder = tmp_path / 'models'
        folder.mkdir(exist_ok=True)
        cfg = Config(dict(model=CONFIGS[task], default_scope=SCOPES[task]))
        cfg.custom_imports = dict(imports=['mmpatch'], allow_failed_imports=False)
        config, weights = folder / f'{task}.py', folder / f'{task}_{seed}.pth'
        cfg.dump(config)
        meta = dict(dataset_meta=dict(classes=('a', 'b', 'c', 'd', 'e')))
        torch.save(dict(state_dict=build(task, seed).state_dict(), meta=meta), weights)
        return config, weights

    return write
