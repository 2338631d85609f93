"""browse_patches shows what a training draws."""

import copy
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mmpatch.engine.gradients import Passes, SampledGradient
from mmpatch.testing import load_tool, make_coco_tree
from mmpatch.testing.tiny_detector import detector_cfg


@pytest.fixture
def tool() -> ModuleType:
    return load_tool('analysis_tools/browse_patches')


@pytest.fixture
def cfg(tmp_path: Path) -> Config:
    """Three images of 4 x 3 patches, flipped at random, in batches of two (the last of one)."""
    classes = ('a', 'b', 'c')
    make_coco_tree(tmp_path, (230, 180), num_images=3, classes=classes)
    pipeline = [
        dict(type='mmpatch.LoadPatchImage'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackDetInputs'),
    ]
    return Config(
        dict(
            model=detector_cfg(patch_size=64),
            train_dataloader=dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=dict(
                    type='CocoDataset',
                    data_root=str(tmp_path),
                    ann_file='train.json',
                    data_prefix=dict(img='images/'),
                    metainfo=dict(classes=classes),
                    pipeline=pipeline,
                ),
            ),
            train_cfg=dict(
                type='mmpatch.PatchGDTrainLoop',
                max_epochs=1,
                sampling_rate=0.25,
                inner_iterations=3,
            ),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-4)),
            randomness=dict(seed=5),
            default_scope='mmdet',
            log_level='ERROR',
            work_dir=str(tmp_path / 'run'),
            experiment_name=uuid4().hex,  # mmengine keeps visualizers by it
        )
    )


@pytest.mark.parametrize('by_epoch', [True, False])
def test_the_same_images_and_patches_as_in_training(
    tool: ModuleType, cfg: Config, monkeypatch: pytest.MonkeyPatch, by_epoch: bool
) -> None:
    if not by_epoch:
        del cfg.train_cfg['max_epochs']
        cfg.train_cfg.update(type='mmpatch.PatchGDIterTrainLoop', max_iters=2)
    expected: list[tuple[list[np.ndarray], list[torch.Tensor]]] = []

    def only_draw(gradient: Any, passes: Passes, draws: list[torch.Tensor]) -> dict[str, Any]:
        images = [image.flip(0).permute(1, 2, 0).numpy() for image in passes.batch.images]
        expected.append((images, draws))
        return {}

    with monkeypatch.context() as patch:
        patch.setattr(SampledGradient, '__call__', only_draw)
        Runner.from_cfg(copy.deepcopy(cfg)).train()
    pages = list(tool.browse(cfg, 5))
    assert [(batch, image) for batch, image, _ in pages] == [(0, 0), (0, 1), (1, 0)]
    for batch, image, page in pages:
        images, draws = expected[batch]
        assert np.array_equal(page.image, images[image])
        first, last = 12 * image, 12 * (image + 1)
        flat = [drawn[(drawn >= first) & (drawn < last)] - first for drawn in draws]
        assert [drawn.tolist() for drawn in page.rounds] == [drawn.tolist() for drawn in flat]
        assert [len(drawn) for drawn in page.rounds] == [3, 3, 3]
        assert len(page.boxes) == 3


def test_command_line(
    tool: ModuleType, cfg: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / 'config.py'
    cfg.dump(config)
    out = tmp_path / 'out'
    options = ['--cfg-options', 'model.halo=32', 'model.global_patch=False']
    tool.main([str(config), '--out-dir', str(out), '--num-batches', '2', *options])
    files = sorted(path.name for path in out.iterdir())
    assert [name[:11] for name in files] == ['batch000_0_', 'batch000_1_', 'batch001_0_']
    assert f'wrote 3 picture(s) to {out}' in capsys.readouterr().out
    assert np.asarray(Image.open(out / files[0])).std() > 20


def test_exact_gradients_use_all_patches(tool: ModuleType, cfg: Config) -> None:
    cfg.train_cfg.gradient = 'exact'
    _, _, page = next(tool.browse(cfg, 1))
    assert [drawn.tolist() for drawn in page.rounds] == [list(range(12))]
    assert "gradient='exact'" in page.note


def test_the_iteration_of_the_global_patch_has_no_panel(tool: ModuleType, cfg: Config) -> None:
    cfg.train_dataloader.batch_size = 1
    cfg.train_cfg.update(global_iteration=True, sampled_patches=2, inner_iterations=1)
    _, _, page = next(tool.browse(cfg, 1))
    assert [len(drawn) for drawn in page.rounds] == [2] and 'J = 1' in page.caption()
    assert 'trains the global patch alone' in page.note and 'rate' not in page.note


def test_a_config_without_a_seed(
    tool: ModuleType, cfg: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg.randomness = dict(seed=None)
    _, _, page = next(tool.browse(cfg, 1))
    assert 'seed 0' in page.note
    assert 'sets no randomness.seed' in capsys.readouterr().out


@pytest.mark.parametrize(
    'change', [dict(train_cfg=dict(type='EpochBasedTrainLoop')), dict(model={})]
)
def test_other_configs_are_refused(tool: ModuleType, cfg: Config, change: dict[str, Any]) -> None:
    for key, value in change.items():
        cfg[key] = value
    with pytest.raises(ValueError, match='does not train patch by patch'):
        next(tool.browse(cfg, 1))


def test_the_command_line_names_the_config(tool: ModuleType, cfg: Config, tmp_path: Path) -> None:
    cfg.train_cfg.type = 'EpochBasedTrainLoop'
    cfg.dump(tmp_path / 'stock.py')
    with pytest.raises(SystemExit, match=r'error: .*stock\.py does not train patch by patch'):
        tool.main([str(tmp_path / 'stock.py'), '--out-dir', str(tmp_path / 'out')])
    assert not (tmp_path / 'out').exists()


def test_help(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='0'):
        tool.main(['--help'])
    assert '--num-batches' in capsys.readouterr().out
