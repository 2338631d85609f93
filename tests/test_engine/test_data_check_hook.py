"""What can be known of the data before a training is checked before it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmpatch.engine.hooks import DataCheckHook
from mmpatch.testing import make_coco_tree
from mmpatch.testing.tiny_detector import detector_cfg

CLASSES = ('a', 'b', 'c')
COLOURS = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Runner]:
    """Start to train a tiny detector on a COCO file of three classes; gives metainfo of each part."""
    make_coco_tree(tmp_path, classes=CLASSES)

    def start(num_classes: int = 3, **metainfo: dict[str, Any]) -> Runner:
        def loader(part: str) -> dict[str, Any]:
            data = dict(
                type='mmpatch.PatchCocoDataset',
                data_root=str(tmp_path),
                ann_file='train.json',
                data_prefix=dict(img='images'),
                metainfo=metainfo.get(part, dict(classes=CLASSES, palette=COLOURS)),
                test_mode=part != 'train',
                pipeline=[
                    dict(type='mmpatch.LoadPatchImage'),
                    dict(type='LoadAnnotations', with_bbox=True),
                    dict(type='PackDetInputs'),
                ],
            )
            data = dict(type='RepeatDataset', times=2, dataset=data) if part == 'train' else data
            shuffle = dict(type='DefaultSampler', shuffle=False)
            return dict(batch_size=1, num_workers=0, sampler=shuffle, dataset=data)

        evaluator = dict(type='mmpatch.PatchCocoMetric', ann_file=str(tmp_path / 'train.json'))
        cfg = Config(
            dict(
                model=detector_cfg(patch_size=64, head=dict(num_classes=num_classes)),
                **{f'{part}_dataloader': loader(part) for part in ('train', 'val', 'test')},
                train_cfg=dict(type='mmpatch.PatchGDTrainLoop', max_epochs=1, inner_iterations=1),
                val_cfg=dict(type='ValLoop'),
                test_cfg=dict(type='TestLoop'),
                val_evaluator=evaluator,
                test_evaluator=evaluator,
                optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3)),
                custom_hooks=[dict(type='mmpatch.DataCheckHook')],
                default_hooks=dict(
                    visualization=dict(type='mmpatch.PatchDetVisualizationHook', draw=True)
                ),
                visualizer=dict(type='mmpatch.PatchDetVisualizer', name=tmp_path.name),
                default_scope='mmdet',
                log_level='ERROR',
                work_dir=str(tmp_path / 'run'),
                experiment_name=tmp_path.name,
            )
        )
        return Runner.from_cfg(cfg)

    return start


@pytest.mark.parametrize('part', ['train', 'val', 'test'])
def test_an_inherited_palette_stops_a_training_before_its_first_step(
    run: Callable[..., Runner], part: str
) -> None:
    runner = run(**{part: dict(classes=CLASSES, palette=COLOURS[:1])})
    with pytest.raises(ValueError, match=r"has 3 classes, \['a', 'b', 'c'\], but a palette of 1"):
        runner.train()
    assert getattr(runner._train_loop, 'iter', 0) == 0


def test_another_test_set_than_the_training_set(run: Callable[..., Runner]) -> None:
    runner = run(test=dict(classes=('a', 'b'), palette=COLOURS))
    with pytest.raises(
        ValueError, match=r"test_dataloader has the classes \['a', 'b'\], train_dataloader has \['a"
    ):
        runner.train()


def test_a_head_of_another_number_of_classes(run: Callable[..., Runner]) -> None:
    with pytest.raises(
        ValueError,
        match=r'train_dataloader has 3 classes, .* but model.bbox_head has num_classes=4: set num_cl',
    ):
        run(num_classes=4).train()
    with pytest.raises(ValueError, match=r'test_dataloader has 3 classes, .* num_classes=4'):
        run(num_classes=4).test()


def test_a_test_does_not_ask_about_the_training_set(run: Callable[..., Runner]) -> None:
    assert 'coco/AP' in run(train=dict(classes=('a',), palette=[])).test()


@pytest.mark.parametrize(
    ('head', 'fits'),
    [
        (dict(head=SimpleNamespace(num_classes=2)), True),
        (dict(head=SimpleNamespace(num_classes=5)), False),
        (dict(decode_head=SimpleNamespace(num_classes=1)), True),
        (dict(decode_head=SimpleNamespace(num_classes=3)), False),
        (dict(neck=SimpleNamespace(num_classes=3)), True),
    ],
)
def test_models_of_every_task(head: dict[str, Any], fits: bool) -> None:
    runner = SimpleNamespace(
        model=SimpleNamespace(**head),
        _train_loop=None,
        _val_loop=None,
        _test_loop=None,
        _train_dataloader=None,
        _val_dataloader=None,
        _test_dataloader=None,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            'mmpatch.engine.hooks.data_check_hook._metainfos',
            lambda _: iter([('test_dataloader', dict(classes=('a', 'b')))]),
        )
        if fits:
            DataCheckHook().before_run(runner)
        else:
            with pytest.raises(ValueError, match=r'but model.(decode_)?head has num_classes='):
                DataCheckHook().before_run(runner)


def test_a_picture_that_fails_costs_no_metric(
    run: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[str] = []
    monkeypatch.setattr(
        'mmpatch.visualization.safe_drawing.print_log', lambda text, **_: messages.append(text)
    )

    def fail(*_: Any) -> None:
        raise RuntimeError('no font')

    monkeypatch.setattr('mmpatch.visualization.patch_det_visualizer.draw_page', fail)
    metrics = run().test()  # two images, two pictures
    assert 'coco/AP' in metrics
    assert len(messages) == 1 and 'RuntimeError: no font' in messages[0]
    assert messages[0].startswith('PatchDetVisualizationHook could not draw a picture. Metrics are')
