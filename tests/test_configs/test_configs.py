"""Every config is parsed, checked for keys that nobody reads, and its model built."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

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
    assert cfg.model.patch_size == 512
    assert cfg.train_dataloader.dataset.pipeline[2].scale == (4096, 4096)
    assert cfg.model.bbox_head.num_classes == 9
    assert cfg.train_dataloader.batch_size == 4
    assert cfg.train_cfg.max_epochs == 300
    assert cfg.optim_wrapper.optimizer.type == 'AdamW' and cfg.optim_wrapper.optimizer.lr == 1e-3
    assert cfg.optim_wrapper.accumulative_counts == 10


def test_leaves_are_short() -> None:
    for path in ROOT.glob('*.py'):
        assert len(path.read_text().splitlines()) <= 40, path.name


def test_what_a_base_says_is_often_changed_can_be_changed(tmp_path: Path) -> None:
    """A child that sets it gets it; a variable of the base would be read before the child is."""
    named = 0
    for path in sorted((ROOT / '_base_').rglob('*.py')):
        for line in re.findall(r'^# Often changed: (.*)', path.read_text(), re.MULTILINE):
            for place in re.findall(r'\bmodel[\w.]*\w', line):
                *parents, key = place.split('.')
                child = f'dict({key}=7)'
                for parent in reversed(parents[1:]):
                    child = f'dict({parent}={child})'
                (tmp_path / 'child.py').write_text(
                    f'_base_ = {str(path)!r}\n{parents[0]} = {child}\n'
                )
                value: Any = Config.fromfile(tmp_path / 'child.py')
                base: Any = Config.fromfile(path)
                for part in place.split('.'):
                    value, base = value[part], base[part]
                assert value == 7 != base, place
                named += 1
    assert named == 3


def test_bases_of_models_have_no_variables_that_look_like_settings() -> None:
    for path in sorted((ROOT / '_base_/models').glob('*.py')):
        variables = re.findall(r'^(\w+) =', path.read_text(), re.MULTILINE)
        assert set(variables) <= {'_base_', 'model', 'norm_cfg'}, path.name
