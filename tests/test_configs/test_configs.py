"""Every config is parsed, checked for keys that nobody reads, and its model built."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmpatch.models.protocol import PatchModel
from mmpatch.patching import PatchSchedule
from mmpatch.utils import check_config

ROOT = Path(__file__).parents[2] / 'configs'
CONFIGS = sorted(path for path in ROOT.rglob('*.py') if '_base_' not in path.parts)
#: Fields between `_`, within a field `-`; the main configs have short names.
NAME = re.compile(r'^[a-z0-9]+(-[a-z0-9]+)*(_[a-z0-9]+(-[a-z0-9]+)*)+$')


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config(path: Path) -> None:
    assert NAME.match(path.stem)
    text = path.read_text()
    assert text.startswith('# '), 'a config starts with its purpose'
    cfg = Config.fromfile(path)
    check_config(cfg)
    cfg.model.backbone.init_cfg = None  # no weights are loaded to build a model
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    if 'mmpatch.PatchGD' in cfg.train_cfg.get('type', ''):
        assert isinstance(model, PatchModel)
        PatchSchedule(
            cfg.train_cfg.get('sampling_rate', 0.25), cfg.train_cfg.get('inner_iterations')
        )
        assert 'bbox_head' not in cfg.model or cfg.model.test_cfg.max_per_img == 1000


def test_the_soda_config_has_the_numbers_of_the_paper() -> None:
    cfg = Config.fromfile(ROOT / 'patch_fcos_soda.py')
    assert cfg.model.patch_size == 512 and cfg.image_scale == (4096, 4096)
    assert cfg.model.bbox_head.num_classes == 9
    assert cfg.train_dataloader.batch_size == 4
    assert cfg.train_cfg.max_epochs == 300
    assert cfg.optim_wrapper.optimizer.type == 'AdamW' and cfg.optim_wrapper.optimizer.lr == 1e-3
    assert cfg.optim_wrapper.accumulative_counts == 10


def test_leaves_are_short() -> None:
    for path in ROOT.glob('*.py'):
        assert len(path.read_text().splitlines()) <= 40, path.name
