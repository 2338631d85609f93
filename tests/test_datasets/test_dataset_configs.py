"""The data set bases of configs/ build, and their items and metrics fit together."""

import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import DefaultScope

from mmpatch.registry import DATASETS, METRICS
from mmpatch.testing import (
    load_tool,
    make_coco_tree,
    make_soda_d_tree,
    make_tju_dhd_tree,
)

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'


def _relocate(cfg: Any, old: str, new: str) -> Any:
    """Replace a data root wherever it stands in a config."""
    return json.loads(json.dumps(cfg).replace(old, new))


def _load(name: str, root: str) -> dict[str, Any]:
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    parts = {
        key: value
        for key, value in cfg.to_dict().items()
        if key.endswith(('_dataloader', '_evaluator'))
    }
    relocated: dict[str, Any] = _relocate(parts, cfg.train_dataloader.dataset.data_root, root)
    return relocated


def test_yellowstone(tmp_path: Path) -> None:
    for split in ('train', 'test'):
        make_coco_tree(tmp_path, num_images=1, split=split)
    cfg = _load('yellowstone', f'{tmp_path}/')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        item = DATASETS.build(cfg[loader]['dataset'])[0]
        assert item['inputs'].shape == (3, 64, 96)
        assert len(item['data_samples'].gt_instances) == 3
    assert item['data_samples'].scale_factor == (1.0, 1.0)
    for evaluator in ('val_evaluator', 'test_evaluator'):
        assert METRICS.build(cfg[evaluator]).max_dets == 1000


def test_scales(tmp_path: Path) -> None:
    for split in ('train', 'val', 'test'):
        make_coco_tree(tmp_path, num_images=1, split=split, classes=('digit',))
    cfg = _load('scales', f'{tmp_path}/')
    for split in ('train', 'val', 'test'):
        data = DATASETS.build(cfg[f'{split}_dataloader']['dataset'])
        assert (
            data.ann_file.endswith(f'{split}.json')
            and len(data[0]['data_samples'].gt_instances) == 3
        )
    for split in ('val', 'test'):
        assert cfg[f'{split}_evaluator']['ann_file'].endswith(f'{split}.json')
        assert len(METRICS.build(cfg[f'{split}_evaluator']).size_bins) == 5


def test_soda_d(tmp_path: Path) -> None:
    make_soda_d_tree(tmp_path, image_size=(160, 120), num_images=1)
    cfg = _load('soda_d', f'{tmp_path}/rawData/')
    assert cfg['train_dataloader']['batch_size'] == 4
    for split in ('train', 'val', 'test'):
        sample = DATASETS.build(cfg[f'{split}_dataloader']['dataset'])[0]['data_samples']
        assert sample.img_shape == (4096, 4096)
        assert sample.ori_shape == (120, 160)
        assert sample.scale_factor == pytest.approx((4096 / 160, 4096 / 120))
        assert len(sample.ignored_instances) == 1
    for evaluator in ('val_evaluator', 'test_evaluator'):
        assert METRICS.build(cfg[evaluator]).default_prefix == 'soda_d'


@pytest.mark.parametrize('name', ['tju_traffic', 'tju_pedestrian'])
def test_tju_dhd(tmp_path: Path, name: str) -> None:
    make_tju_dhd_tree(tmp_path, num_images=1, objects=12)
    cfg = _load(name, f'{tmp_path}/')
    for split in ('train', 'val', 'test'):
        data = DATASETS.build(cfg[f'{split}_dataloader']['dataset'])
        sample = data[0]['data_samples']
        assert (sample.img_shape, sample.ori_shape) == ((4096, 4096), (120, 160))
        found = len(sample.gt_instances)
        assert (found == 12) if name == 'tju_traffic' else (0 < found < 12)
    metric = METRICS.build(cfg['val_evaluator'])
    assert metric.default_prefix == ('coco' if name == 'tju_traffic' else 'pedestrian')


def test_coco_mosaic(tmp_path: Path) -> None:
    source = make_coco_tree(tmp_path, num_images=3, objects=2)
    tool = load_tool('dataset_converters/coco_mosaic')
    for split in ('train', 'val'):
        settings = ['--split', split, '--side', '256', '--columns', '2', '--workers', '1']
        folders = [str(source), str(tmp_path / 'images'), '--out', str(tmp_path / 'mosaic')]
        tool.main([*folders, *settings])
    cfg = _load('coco_mosaic', f'{tmp_path}/mosaic/')
    for split in ('train', 'val', 'test'):
        data = cfg[f'{split}_dataloader']['dataset']
        sample = DATASETS.build({**data, 'metainfo': dict(classes=('tree',))})[0]
        assert sample['inputs'].shape == (3, 256, 256)
        assert len(sample['data_samples'].gt_instances) == 6
    assert METRICS.build(cfg['val_evaluator']).default_prefix == 'coco'


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('*.py')), ids=lambda path: path.stem)
def test_training_and_testing_read_alike(path: Path) -> None:
    """An image that trains must not fail or look otherwise in a test."""
    cfg = Config.fromfile(path)
    scope = {'Det': 'mmdet', 'Seg': 'mmseg'}.get(cfg.test_pipeline[-1]['type'][4:7], 'mmpretrain')
    readers = []
    with DefaultScope.overwrite_default_scope(scope):
        for pipeline in (cfg.train_pipeline, cfg.test_pipeline):
            reader = vars(ROOT_TRANSFORMS.build(pipeline[0]))
            readers.append({k: v for k, v in reader.items() if k != 'on_error'})
            readers[-1]['class'] = type(ROOT_TRANSFORMS.build(pipeline[0]))
    assert readers[0] == readers[1]


@pytest.mark.parametrize('name', ['soda_d', 'yellowstone', 'scales', 'coco_mosaic'])
def test_missing_data_stops_with_advice(name: str, tmp_path: Path) -> None:
    cfg = _load(name, f'{tmp_path}/')
    with pytest.raises(FileNotFoundError, match=f'tools/dataset_converters/{name}.py'):
        DATASETS.build(cfg['train_dataloader']['dataset'])
