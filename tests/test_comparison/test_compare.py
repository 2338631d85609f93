"""Configs trained and tested beside each other: the table, and what is not done twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmengine.logging import MessageHub
from PIL import Image

from mmpatch.comparison import Run, runs, table, to_csv
from mmpatch.testing import load_tool, make_mask_tree

ROOT = Path(__file__).parents[2]


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
    tool = load_tool('compare')
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


@pytest.mark.slow
def test_seeds_for_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_mask_tree(tmp_path / 'data', (128, 64), num_images=1, channels=1, depth=16)
    settings = ['model.backbone.base_channels=4', 'train_cfg.val_interval=1000000']
    settings += [f'model.decode_head.{name}=4' for name in ('in_channels', 'channels')]
    for loader, split in (('train', 'train'), ('val', 'test'), ('test', 'test')):
        settings.append(f'{loader}_dataloader.dataset.data_root={data}/{split}')
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    config, out = str(ROOT / 'configs/baselines/unet_nuclei.py'), str(tmp_path / 'out')
    seeds = ['--minutes', '0.05', '--seeds', '0', '1']
    load_tool('compare').main([config, '--out', out, *seeds, '--cfg-options', *settings])
    found = [json.loads(p.read_text()) for p in sorted((tmp_path / 'out').glob('*/run.json'))]
    assert [run['name'] for run in found] == ['unet_nuclei'] * 2
    assert all(3 <= run['seconds'] < 10 for run in found)
    assert found[0]['metrics'] != found[1]['metrics']
    assert ' ± ' in (tmp_path / 'out/table.md').read_text()


def test_a_run_that_fails_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake(config: Path, *_: object) -> Run:
        if config.stem == 'unet_nuclei-64':
            raise RuntimeError('train.py failed (exit 1)')
        return Run(config.stem, 60.0, 10, 1.0, {'seg/image/F1': 50.0})

    tool = load_tool('compare')
    monkeypatch.setattr(tool, 'train_and_test', fake)
    folder = ROOT / 'configs/baselines'
    names = ['unet_nuclei-64', 'unet_nuclei', 'patch_unet_nuclei_exact']
    configs = [str(folder / f'{name}.py') for name in names]
    with pytest.raises(SystemExit, match=r'error: train.py failed \(exit 1\)'):
        tool.main([*configs, '--out', str(tmp_path), '--jobs', '2'])
    assert '3 of 3 done' in capsys.readouterr().out
    lines = (tmp_path / 'table.md').read_text().splitlines()
    assert [line.split('|')[1].strip() for line in lines[2:]] == names[1:]


def test_what_cannot_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool = load_tool('compare')
    for configs, message in (
        (['a.py'], 'no config at a.py'),
        ([str(ROOT / 'configs/patch_unet_nuclei.py')] * 2, 'two configs have the same name'),
    ):
        with pytest.raises(SystemExit):
            tool.main([*configs, '--out', str(tmp_path)])
        assert message in capsys.readouterr().err


def test_history_of_a_checkpoint() -> None:
    hub = MessageHub('history')
    for value in (1.0, 2.0):
        hub.update_scalar('train/time', value)
    state = dict(message_hub=hub.state_dict())
    assert runs.history(state, 'time').tolist() == [1.0, 2.0]
    assert runs.history(state, 'nothing').size == 0


def test_seeds_become_one_row() -> None:
    seeds = [Run('ours', 60.0 * i, 60, 1.0 + i, {'cls/kappa': i / 2}, 0.5) for i in (1, 2, 3)]
    (line,) = table([*seeds], ['cls/kappa']).splitlines()[2:]
    cells = [cell.strip() for cell in line.split('|')[1:-1]]
    assert cells == ['ours', '1 ± 0.5', '60', '2.00', '2.0', '4.00', '3.50']


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
