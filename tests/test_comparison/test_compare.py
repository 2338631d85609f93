"""Configs trained and tested beside each other: the table, and what is not done twice."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from PIL import Image

from mmpatch.comparison import (
    SUITES,
    Row,
    Run,
    RunError,
    check_comparable,
    claim,
    columns,
    comparison,
    discard,
    page,
    runs,
    suite_rows,
    table,
    to_csv,
    to_json,
    to_latex,
)
from mmpatch.comparison.page import best_method
from mmpatch.testing import load_tool, make_mask_tree
from mmpatch.utils import check_config

ROOT = Path(__file__).parents[2]


NUCLEI = [str(ROOT / 'configs' / x) for x in ('patch_unet_nuclei.py', 'baselines/unet_nuclei.py')]


@pytest.fixture(scope='module')
def settings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Small U-Nets on a generated tree of the bundled data's layout, two epochs."""
    folder = tmp_path_factory.mktemp('data')
    data = make_mask_tree(folder, (128, 64), num_images=1, channels=1, depth=16)
    options = ['model.backbone.base_channels=4', 'default_hooks.checkpoint.interval=1']
    options += ['train_cfg.max_epochs=2', 'train_cfg.val_interval=1000000']
    options += [f'model.decode_head.{name}=4' for name in ('in_channels', 'channels')]
    for loader, split in (('train', 'train'), ('val', 'test'), ('test', 'test')):
        options.append(f'{loader}_dataloader.dataset.data_root={data}/{split}')
    return ['--cfg-options', *options]


@pytest.fixture(scope='module')
def finished(tmp_path_factory: pytest.TempPathFactory, settings: list[str]) -> Path:
    """The folder of a comparison that nobody interrupted."""
    out = tmp_path_factory.mktemp('finished')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('OMP_NUM_THREADS', '1')
        load_tool('compare').main([*NUCLEI, '--out', str(out), *settings])
    return out


def rows_of(out: Path, *columns: str) -> list[tuple[str, ...]]:
    with (out / 'table.csv').open() as stream:
        return [tuple(row[c] for c in ('method', *columns)) for row in csv.DictReader(stream)]


@pytest.mark.slow
def test_segmentors_beside_each_other(
    finished: Path,
    settings: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The bundled segmentation example and a baseline."""
    text = (finished / 'table.md').read_text()
    assert text.split('|')[2].strip() == 'image/F1'
    assert rows_of(finished, 'steps') == [('patch_unet_nuclei', '4'), ('unet_nuclei', '2')]
    for _, *numbers in rows_of(finished, 'parameters [M]', 's / step', 's / image', 'peak [GiB]'):
        assert all(float(number) >= 0 for number in numbers)
    found = [json.loads((finished / f'{x}/run.json').read_text()) for x in ('unet_nuclei',)]
    assert found[0]['parameters'] > 1000 and found[0]['seconds_image'] > 0
    assert 0.1 < found[0]['peak_test'] < 4
    drawn = list(finished.glob('patch_unet_nuclei/*/drawn/0.png'))
    assert len(drawn) == 1 and Image.open(drawn[0]).width > 3 * 128
    report = (finished / 'report.html').read_text()
    assert report.count('<figure>') == 2 and report.count('data:image/') == 3
    assert 'src="http' not in report and 'unet_nuclei' in report
    assert r'unet\_nuclei &' in (finished / 'table.tex').read_text()
    raw = json.loads((finished / 'runs.json').read_text())
    assert [run['name'] for run in raw['runs']] == ['patch_unet_nuclei', 'unet_nuclei']
    assert raw['settings']['jobs'] == 1

    monkeypatch.setattr(runs, 'run_tool', lambda *_: pytest.fail('was run again'))
    tool = load_tool('compare')
    with pytest.raises(SystemExit, match='go on with it by --resume'):
        tool.main([*NUCLEI, '--out', str(finished), *settings])
    tool.main([*NUCLEI, '--out', str(finished), '--resume', *settings])
    assert text.strip() in capsys.readouterr().out
    with pytest.raises(SystemExit, match='made with minutes=None, this would be minutes=3'):
        tool.main([*NUCLEI, '--out', str(finished), '--resume', '--minutes', '3', *settings])


def test_results_of_a_config_that_has_changed(tmp_path: Path) -> None:
    """A comment is no change, an option or another value is."""
    base, config = tmp_path / 'base.py', tmp_path / 'mine.py'
    base.write_text('model = dict(width=3)\n')
    config.write_text("_base_ = './base.py'\n")
    first = runs.config_digest(config)
    config.write_text("# mine\n_base_ = './base.py'\n")
    assert runs.config_digest(config) == first != runs.config_digest(config, ['model.width=4'])
    base.write_text('model = dict(width=4)\n')
    assert runs.config_digest(config) == runs.config_digest(config, ['model.width=4']) != first
    limits = dict.fromkeys(('seed', 'minutes', 'steps', 'checkpoint'))
    claim(tmp_path / 'run', dict(config=str(config), options=[], **limits, config_digest=first))
    with pytest.raises(ValueError, match=r'was made with config_digest=.* cannot be mixed'):
        runs.train_and_test(config, tmp_path / 'run')


@pytest.mark.slow
def test_killed_and_started_again(tmp_path: Path, settings: list[str], finished: Path) -> None:
    """SIGKILL takes the training along; what --resume finishes is what would have come out."""
    arguments = [*NUCLEI, '--out', str(tmp_path), *settings]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / 'tools/compare.py'), *arguments],
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)},
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / 'patch_unet_nuclei/epoch_1.pth').is_file():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    (trained,) = (p for p in psutil.Process(process.pid).children() if 'train.py' in p.cmdline()[1])
    with pytest.raises(SystemExit, match=rf'another comparison .* \(process {process.pid}\)'):
        load_tool('compare').main([*arguments, '--resume'])
    process.kill()
    process.wait()
    psutil.wait_procs([trained], timeout=10)
    assert not trained.is_running() or trained.status() == psutil.STATUS_ZOMBIE
    load_tool('compare').main([*arguments, '--resume'])
    columns = ('image/F1', 'image/IoU', 'image/BAcc', 'pixel/IoU', 'steps', 'parameters [M]')
    assert rows_of(tmp_path, *columns) == rows_of(finished, *columns)


@pytest.mark.slow
@pytest.mark.usefixtures('forked_tools')
def test_checkpoints_in_place_of_training(
    tmp_path: Path, settings: list[str], finished: Path
) -> None:
    found = [str(finished / f'{name}/epoch_2.pth') for name in ('patch_unet_nuclei', 'unet_nuclei')]
    out = ['--out', str(tmp_path), '--checkpoints', *found]
    load_tool('compare').main([*NUCLEI, *out, *settings])
    columns = ('image/F1', 'image/IoU', 'steps', 's / step', 'parameters [M]')
    assert rows_of(tmp_path, *columns) == rows_of(finished, *columns)
    assert not list(tmp_path.glob('*/epoch_*.pth'))


@pytest.mark.slow
def test_more_memory_than_allowed(tmp_path: Path, settings: list[str]) -> None:
    """The row says what it takes; the comparison goes on, and its exit status tells."""
    with pytest.raises(SystemExit) as ended:
        load_tool('compare').main(
            [NUCLEI[1], '--out', str(tmp_path), '--memory-limit', '100MiB', *settings]
        )
    assert ended.value.code == 1
    ((_, failure, steps),) = rows_of(tmp_path, 'failure', 'steps')
    assert re.match(
        r'MemoryLimitError: training takes .* [GM]iB, more than the limit of 100 MiB', failure
    )
    assert steps == '-' and failure in (tmp_path / 'table.md').read_text()


@pytest.mark.slow
@pytest.mark.usefixtures('forked_tools')
def test_the_same_number_of_steps(tmp_path: Path, settings: list[str]) -> None:
    rarely = 'default_hooks.checkpoint.interval=1000000'
    load_tool('compare').main([*NUCLEI, '--out', str(tmp_path), '--steps', '6', *settings, rarely])
    assert rows_of(tmp_path, 'steps') == [('patch_unet_nuclei', '6'), ('unet_nuclei', '6')]
    assert 'each trained for 6 optimizer steps' in (tmp_path / 'report.html').read_text()


@pytest.mark.slow
@pytest.mark.usefixtures('forked_tools')
def test_seeds_for_the_same_time(tmp_path: Path, settings: list[str]) -> None:
    seeds = ['--minutes', '0.05', '--seeds', '0', '1']
    rarely = 'default_hooks.checkpoint.interval=1000000'
    load_tool('compare').main([NUCLEI[1], '--out', str(tmp_path), *seeds, *settings, rarely])
    found = [json.loads(p.read_text()) for p in sorted(tmp_path.glob('*/run.json'))]
    assert [(run['name'], run['seed']) for run in found] == [('unet_nuclei', 0), ('unet_nuclei', 1)]
    assert all(3 <= run['seconds'] < 10 for run in found)
    assert found[0]['metrics'] != found[1]['metrics']
    assert ' ± ' in (tmp_path / 'table.md').read_text()


@pytest.mark.slow
@pytest.mark.usefixtures('forked_tools')
def test_a_training_that_saves_nothing(tmp_path: Path, settings: list[str]) -> None:
    """It has a row that says so, and does not end the others."""
    never = ['default_hooks.checkpoint.interval=-1', 'default_hooks.checkpoint.save_last=False']
    with pytest.raises(SystemExit, match='1'):
        load_tool('compare').main([*NUCLEI, '--out', str(tmp_path), *settings, *never])
    failures = [row[1] for row in rows_of(tmp_path, 'failure')]
    assert len(failures) == 2 and all('saved no checkpoint' in failure for failure in failures)


def test_a_run_that_fails_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake(config: Path, folder: Path, options: object, name: str, *_: Any, **__: Any) -> Run:
        if name == 'unet_nuclei-64':
            raise RunError('train.py: exit 1, see a.log', 'ValueError: no')
        if name == 'unet_nuclei':
            raise FileNotFoundError('last_checkpoint')
        return Run(name, 60.0, 10, 1.0, {'seg/image/F1': 50.0})

    monkeypatch.setattr(comparison, 'train_and_test', fake)
    names = ['unet_nuclei-64', 'unet_nuclei', 'patch_unet_nuclei_no-global']
    configs = [str(ROOT / f'configs/baselines/{name}.py') for name in names[:2]]
    with pytest.raises(SystemExit):
        load_tool('compare').main([*configs, names[2], '--out', str(tmp_path), '--jobs', '2'])
    said = capsys.readouterr()
    assert '=== 3 of 3' in said.out and 'error: train.py: exit 1, see a.log' in said.err
    failure = 'ValueError: no (see unet_nuclei-64.log)'
    assert f'- unet_nuclei-64: {failure}' in (tmp_path / 'table.md').read_text()
    wanted = [(name, '50.0' if name == names[2] else '-') for name in names]
    assert rows_of(tmp_path, 'image/F1') == wanted
    assert 'Traceback' in (tmp_path / 'unet_nuclei.log').read_text()
    report = (tmp_path / 'report.html').read_text()
    assert re.search(rf'<td>unet_nuclei-64</td><td[^>]*>{re.escape(failure)}</td>', report)


def test_folders_of_others_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is a training of the same name deleted or continued, nor is its folder used."""
    monkeypatch.setattr(runs, 'run_tool', lambda *_: pytest.fail('wrote into it'))
    best = tmp_path / 'work_dirs/unet_nuclei/best_seg_F1.pth'
    best.parent.mkdir(parents=True)
    best.write_text('hours of work')
    tool, arguments = load_tool('compare'), [NUCLEI[1], '--out', str(tmp_path / 'work_dirs')]
    for more in ([], ['--resume']):
        with pytest.raises(SystemExit, match=r'holds files that are not of a comparison \(unet_'):
            tool.main([*arguments, *more])
    assert [path for path in tmp_path.rglob('*') if path.is_file()] == [best]

    with pytest.raises(ValueError, match=r'holds files that are not of a comparison \(best_seg'):
        runs.train_and_test(NUCLEI[1], best.parent)
    (best.parent / 'last_checkpoint').write_text(str(best))
    with pytest.raises(ValueError, match='choose a folder that is new or empty'):
        runs.train_and_test(NUCLEI[1], best.parent)
    assert best.read_text() == 'hours of work'


def test_a_run_of_another_config_is_not_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_training(*_: object, **__: object) -> float:
        raise RunError('train.py: exit 1', 'no')

    monkeypatch.setattr(runs, 'run_tool', no_training)
    with pytest.raises(RunError, match='exit 1'):
        runs.train_and_test(NUCLEI[1], tmp_path / 'run')
    with pytest.raises(RunError, match='exit 1'):
        runs.train_and_test(NUCLEI[1], tmp_path / 'run')  # its own folder
    with pytest.raises(ValueError, match=r'made with options=\[\], this would be .*patch_size'):
        runs.train_and_test(NUCLEI[1], tmp_path / 'run', ['model.patch_size=32'])


def test_folders_that_were_claimed_can_be_discarded(tmp_path: Path) -> None:
    (tmp_path / 'mine').mkdir()
    claim(tmp_path / 'own', dict(name='x'))
    for name in ('mine', 'own', 'none'):
        discard(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ['mine']


@pytest.mark.slow
def test_a_checkpoint_with_code_is_not_run(tmp_path: Path, settings: list[str]) -> None:
    class Code:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, (f'touch {tmp_path}/ran',)

    torch.save(dict(state_dict={}, meta=Code()), tmp_path / 'bad.pth')
    out = tmp_path / 'out'
    given = ['--out', str(out), '--checkpoints', str(tmp_path / 'bad.pth')]
    with pytest.raises(SystemExit, match='1'):
        load_tool('compare').main([NUCLEI[1], *given, *settings])
    assert 'bad.pth holds more than weights and numbers' in rows_of(out, 'failure')[0][1]
    assert not (tmp_path / 'ran').exists()


CONFIGS = ROOT / 'configs'
UNET = str(CONFIGS / 'patch_unet_nuclei.py')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['a.py'], 'no config at a.py'),
        ([UNET] * 2, 'two configs have the same name'),
        ([], 'give either configs or a --suite'),
        ([UNET, '--suite', 'soda'], 'give either configs or a --suite'),
        (['--suite', 'table9'], "no suite 'table9'; there are yellowstone, "),
        (['patch_unet_nuclei_exactly'], 'and no row of that name: give the path of a config, or a'),
        (
            [UNET, str(CONFIGS / 'patch_fcos_soda.py')],
            'patch_fcos_soda is a config of detection, patch_unet_nuclei one of segmentation',
        ),
        (
            [str(CONFIGS / f'patch_fcos_{x}.py') for x in ('soda', 'tju-traffic')],
            'patch_fcos_tju-traffic is tested on the classes 5 (',
        ),
        ([UNET, '--checkpoints', 'a.pth', 'b.pth'], 'one for each of the 1 configs'),
        ([UNET, '--checkpoints', 'a.pth'], 'no checkpoint at a.pth'),
        ([UNET, '--memory-limit', '4 cows'], 'a positive number and a unit'),
        ([UNET, '--quick', '--minutes', '3'], 'not allowed with argument --quick'),
        ([UNET, '--steps', '9', '--minutes', '3'], 'not allowed with argument --steps'),
        ([UNET, '--quick', '--seeds', '0', '1'], '--quick has one seed, got 2'),
        ([UNET, '--jobs', '0'], '--jobs must be positive'),
        ([UNET, '--steps', '0'], '--steps must be positive, got 0'),
    ],
)
def test_what_cannot_be_compared(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        load_tool('compare').main([*arguments, '--out', str(tmp_path)])
    assert message in ' '.join(capsys.readouterr().err.split())


@pytest.mark.parametrize('name', SUITES)
def test_suites(name: str) -> None:
    """Their configs exist and can stand in one table; their rows have names of their own."""
    rows = suite_rows(name)
    assert all(Path(row.config).is_file() for row in rows)
    assert len({row.name for row in rows}) == len(rows)
    check_comparable(rows)


def settings_of(cfg: Any, place: str = '') -> dict[str, Any]:
    """All settings of a config by their dotted places."""
    if isinstance(cfg, dict):
        items: Any = cfg.items()
    elif isinstance(cfg, (list, tuple)) and any(isinstance(value, dict) for value in cfg):
        items = enumerate(cfg)
    else:
        return {place: cfg}
    return {k: v for key, value in items for k, v in settings_of(value, f'{place}.{key}').items()}


@pytest.mark.parametrize(
    'row', {row.name: row for name in SUITES for row in suite_rows(name)}.values(), ids=str
)
def test_overrides_change_what_is_there(row: Row) -> None:
    """An index of a pipeline that moved, or a misspelt key, would change nothing."""
    cfg, plain = row.load(), Config.fromfile(row.config)
    check_config(cfg)
    before, after = settings_of(plain.to_dict()), settings_of(cfg.to_dict())
    new = {'.train_cfg.gradient.chunk_size', '.model.global_patch'}
    new |= {'.model.global_frame', '.train_cfg.gradient'}  # a value in place of a dict
    gone = [key for key in before if key not in after and key.rpartition('.')[0] not in after]
    assert set(after) - set(before) <= new and not gone
    changed = [key for key, value in after.items() if before.get(key) != value]
    assert len(changed) == len(row.overrides)
    for key in changed:
        if key.endswith('.scale'):
            kind = key.replace('.scale', '.type')
            assert after[kind] == 'Resize' and str(after[key][0]) in row.variant


def test_a_row_can_be_trained_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """What --list prints is read by train.py as the row has it."""
    load_tool('compare').main(['--suite', 'digits', '--list'])
    names, commands = (capsys.readouterr().out.splitlines()[start::2] for start in (0, 1))
    rows = suite_rows('digits')
    assert names == [f'# {row.name}' for row in rows]
    for row, command in zip(rows, commands):
        python, train, config, *more = shlex.split(command)
        assert python == 'python' and Path(train).resolve() == ROOT / 'tools/train.py'
        if more:
            assert more[:3] == ['--work-dir', f'work_dirs/{row.name}', '--cfg-options']
        assert Row(config, tuple(more[3:])).load().to_dict() == row.load().to_dict()
    load_tool('compare').main(['patch_fcos_soda_no-global', '--list'])
    assert 'configs/patch_fcos_soda.py' in capsys.readouterr().out
    load_tool('compare').main(['--list'])
    assert capsys.readouterr().out.count('\n') == 2 * len(
        {row.name for rows in SUITES.values() for row in rows}
    )


def test_quick_fits_into_its_time(tmp_path: Path) -> None:
    tool = load_tool('compare')
    args = tool.parse_args(['--suite', 'yellowstone', '--quick', '--jobs', '2'])
    rounds = -(-len(SUITES['yellowstone']) // 2)
    assert rounds * (args.minutes + tool.OVERHEAD_MINUTES) == pytest.approx(15, abs=0.1)
    assert args.out == Path('work_dirs/yellowstone')


def test_history_of_a_checkpoint() -> None:
    hub = MessageHub('history')
    for value in (1.0, 2.0):
        hub.update_scalar('train/time', value)
    state = dict(message_hub=hub.state_dict())
    assert runs.history(state, 'time').tolist() == [1.0, 2.0]
    assert runs.history(state, 'nothing').size == 0


def test_seeds_become_one_row() -> None:
    seeds = [Run('ours', 60.0 * i, 60, 1.0 + i, {'cls/kappa': i / 4}, 0.5) for i in (1, 2, 3)]
    (line,) = table([*seeds], ['cls/kappa']).splitlines()[2:]
    cells = [cell.strip() for cell in line.split('|')[1:-1]]
    assert cells == ['ours', '0.500 ± 0.250', '', '60', '2.00', '2.0', '', '4.00', '3.50']


def test_tables() -> None:
    both = [
        Run('ours', 120.0, 60, 1.5, {'seg/image/F1': 87.654321}, 0.9, 2_500_000, 0.25),
        Run('stock', 60.0, 0, 3.0, {'coco/AP': 0.5}),
        Run('broken', failure='ValueError: no', seed=1),
    ]
    text = table(both, ['seg/image/F1'])
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in text.splitlines()[2:5]]
    assert rows[0] == ['ours', '87.7', '2.5', '60', '2.00', '2.0', '0.25', '1.50', '0.60']
    assert rows[1][1] == '' and rows[1][4] == '' and rows[2] == ['broken', *'-' * 8]
    assert text.endswith('- broken (seed 1): ValueError: no')
    assert 'ours,87.7,2.5,60,2.00,2.0,0.25,1.50,0.60,\n' in to_csv(both, ['seg/image/F1']).replace(
        '\r', ''
    )
    assert r'ours & 87.7 & 2.5 & 60' in to_latex(both, ['seg/image/F1'])
    infinite = Run('ratio', metrics={'seg/image/PLR': float('inf')})
    raw = json.loads(to_json([*both, infinite], dict(minutes=2)), parse_constant=pytest.fail)
    assert raw['settings'] == dict(minutes=2)
    assert raw['runs'][0]['metrics'] == {'seg/image/F1': 87.6543} and raw['runs'][2]['seed'] == 1
    assert raw['runs'][3]['metrics'] == {'seg/image/PLR': None}


def test_bins_of_size_have_columns() -> None:
    """In their order, and in place of COCO's sizes."""
    names = ('AP_s', 'AP_l', 'AP_0-32', 'AP_32-64.5', 'AP_64.5+', 'recall_0-32', 'AP50', 'AP')
    binned = [Run('failed'), Run('ours', metrics={f'coco/{name}': 0.5 for name in names})]
    wanted = ['AP', 'AP50', 'AP_0-32', 'AP_32-64.5', 'AP_64.5+']
    assert columns(binned) == [f'coco/{name}' for name in wanted]
    head = table(binned, columns(binned)).split('|')[2:7]
    assert [name.strip() for name in head] == wanted
    plain = [Run('ours', metrics={'coco/AP_s': 0.5, 'coco/AP': 0.5, 'coco/recall50': 0.5})]
    assert columns(plain) == ['coco/AP', 'coco/AP_s']


def test_a_picture_that_cannot_be_read_costs_no_table(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ('ours', 'stock')}
    for folder in folders.values():
        folder.mkdir()
        Image.new('RGB', (8, 8)).save(folder / '0.png')
    (folders['stock'] / '0.png').write_bytes(b'half a pict')
    made = page('title', [Run('ours', metrics={'AP': 0.5})], ['AP'], folders, 'settings')
    assert made.count('<figure>') == 2 and made.count('data:image/jpeg') == 1
    assert 'cannot identify image file' in made and '<td>0.500</td>' in made


def test_best_method_of_a_miss_rate_is_the_lowest() -> None:
    both = [
        Run('a', metrics={'ped/MR_R': 0.5, 'AP': 0.5}),
        Run('b', metrics={'ped/MR_R': 0.4, 'AP': 0.4}),
    ]
    assert best_method(both, 'ped/MR_R') == 'b' and best_method(both, 'AP') == 'a'
    assert best_method(both, 'other') is None
