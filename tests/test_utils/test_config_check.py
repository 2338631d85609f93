from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmpatch.utils import check_config, check_weights, load_config

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs' / 'patch_fcos_yellowstone.py'


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'optim_wraper': {}}, "the config has a key 'optim_wraper'.*did you mean 'optim_wrapper'"),
        ({'train_dataloder': {}}, "did you mean 'train_dataloader'"),
        ({'default_hooks.checkpont': {}}, "default_hooks has a key 'checkpont'"),
        ({'model.patchsize': 1}, r"model \(mmpatch.PatchDetector\).*did you mean 'patch_size'"),
        ({'model.bbox_head.loss_regoin': 1}, r"model.bbox_head.*did you mean 'loss_region'"),
        ({'model.bbox_head.stacked_conv': 1}, "did you mean 'stacked_convs'"),
        ({'model.test_cfg.max_per_image': 1}, "model.test_cfg.*did you mean 'max_per_img'"),
        ({'train_cfg.sampling_rat': 1}, "train_cfg.*did you mean 'sampling_rate'"),
        ({'train_cfg.xyz': 1}, "train_cfg.*'xyz' that nobody reads; it takes .*gradient"),
        ({'train_dataloader.dataset.pipline': []}, "did you mean 'pipeline'"),
        ({'custom_hooks': [{'type': 'mmpatch.CheckpointGuardHook', 'lest': 1}]}, "'least'"),
    ],
)
def test_misspelt_keys(options: dict[str, Any], message: str) -> None:
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict(options)
    with pytest.raises(ValueError, match=message):
        check_config(cfg)


def test_weights_that_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cfg = Config.fromfile(CONFIG)
    monkeypatch.chdir(tmp_path)
    message = r'model.backbone starts from .*lite0_imagenet.pth, but .*model.backbone.init_cfg=None'
    with pytest.raises(FileNotFoundError, match=message):
        check_weights(cfg)
    weights = tmp_path / cfg.model.backbone.init_cfg.checkpoint
    weights.parent.mkdir(parents=True)
    weights.touch()
    check_weights(cfg)
    cfg.model.backbone.init_cfg.checkpoint = 'torchvision://resnet50'
    check_weights(cfg)


def test_variables_of_the_author_are_fine() -> None:
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict({'my_scale': 3, 'train_pipeline_2': [], 'img_norm_cfg': {}})
    check_config(cfg)


def test_work_dir_follows_the_config(tmp_path: Path) -> None:
    cfg = load_config(str(CONFIG), work_dir=None, launcher='none', options={})
    assert cfg.work_dir == 'work_dirs/patch_fcos_yellowstone'
    cfg = load_config(
        str(CONFIG),
        work_dir=str(tmp_path),
        launcher='none',
        options={'train_cfg.max_epochs': 1, 'model.halo': 32},
    )
    assert cfg.work_dir == str(tmp_path)
    assert (cfg.train_cfg.max_epochs, cfg.model.halo) == (1, 32)
