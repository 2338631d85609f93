"""Configs trained and tested beside each other: the table, and what is not done twice."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mmpatch.comparison import Run, runs, table, to_csv
from mmpatch.testing import make_mask_tree

ROOT = Path(__file__).parents[2]


def load_tool() -> Any:
    spec = importlib.util.spec_from_file_location('compare_tool', ROOT / 'tools/compare.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_segmentors_beside_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bundled segmentation example and a baseline, on generated data of its layout."""
    data = make_mask_tree(tmp_path / 'data', (128, 64), num_images=1, channels=1, depth=16)
    arguments = [
        *(str(ROOT / 'configs' / x) for x in ('patch_unet_nuclei.py', 'baselines/unet_nuclei.py')),
        '--out',
        str(tmp_path / 'out'),
        '--cfg-options',
        'train_cfg.max_epochs=2',
        'train_cfg.val_interval=2',
        'model.backbone.base_channels=4',
        'model.decode_head.in_channels=4',
        'model.decode_head.channels=4',
        'default_hooks.checkpoint.interval=1',
    ]
    for loader, split in (('train', 'train'), ('val', 'test'), ('test', 'test')):
        arguments.append(f'{loader}_dataloader.dataset.data_root={data}/{split}')
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    tool = load_tool()
    tool.main(arguments)
    text = (tmp_path / 'out/table.md').read_text()
    lines = [[cell.strip() for cell in line.split('|')] for line in text.splitlines()]
    assert lines[0][1:4] == ['method', 'image/F1', 'image/IoU']
    assert [line[1] for line in lines[2:]] == ['patch_unet_nuclei', 'unet_nuclei']
    assert [line[lines[0].index('steps')] for line in lines[2:]] == ['4', '2']
    drawn = list((tmp_path / 'out').glob('patch_unet_nuclei/*/drawn/0.png'))
    assert len(drawn) == 1 and Image.open(drawn[0]).width > 3 * 128
    monkeypatch.setattr(runs, 'run_tool', lambda *_: pytest.fail('was run again'))
    tool.main(arguments)
    assert text.strip() in capsys.readouterr().out


def test_what_cannot_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool = load_tool()
    for configs, message in (
        (['a.py'], 'no config at a.py'),
        ([str(ROOT / 'configs/patch_unet_nuclei.py')] * 2, 'two configs have the same name'),
    ):
        with pytest.raises(SystemExit):
            tool.main([*configs, '--out', str(tmp_path)])
        assert message in capsys.readouterr().err


def test_a_resumed_run_is_one_run(tmp_path: Path) -> None:
    for run, steps in (('20260101_000000', (1, 2, 3)), ('20260101_000009', (3, 4))):
        rows = [dict(step=i, time=1.0, loss=1.0, peak_process=i / 10) for i in steps]
        file = tmp_path / run / 'vis_data/scalars.json'
        file.parent.mkdir(parents=True)
        file.write_text('\n'.join(map(json.dumps, [*rows, {'coco/AP': 0.5, 'step': 9}])))
    assert [row['step'] for row in runs.training_rows(tmp_path)] == [1, 2, 3, 4]


def test_tables() -> None:
    both = [
        Run('ours', 120.0, 60, 1.5, {'seg/image/F1': 87.654321}, idle=0.9),
        Run('stock', 60.0, 0, 3.0, {'coco/AP': 0.5}),
    ]
    lines = table(both, ['seg/image/F1']).splitlines()
    assert (
        '| ours   | 87.65    | 60    | 2.00     | 2.0            | 1.50       | 0.60 ' in lines[2]
    )
    assert lines[3].split('|')[2].strip() == '' and lines[3].split('|')[4].strip() == ''
    assert 'ours,87.65,60,2.00,2.0,1.50,0.60' in to_csv(both, ['seg/image/F1'])
