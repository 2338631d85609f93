"""The tools as a user calls them, on a small generated data set."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.visualization import Visualizer

from mmpatch.testing import make_coco_tree, run_forked
from mmpatch.testing.tiny_detector import detector_cfg

ROOT = Path(__file__).parents[2]
#: What torch 2.4 says at the import of mmengine, past every filter; no later torch says it.
OF_TORCH_2_4 = r'.*zero_optimizer\.py:\d+: DeprecationWarning: `TorchScript` support.*\n.*\n'


def run(tool: str, *arguments: object) -> str:
    """Run a tool in a process of its own and return what it printed."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', str(ROOT / 'tools' / tool), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text[-3000:]
    return text


@pytest.fixture
def run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a tool that has been run in a process of its own before, without its imports."""
    monkeypatch.setattr(Visualizer, '_instance_dict', Visualizer._instance_dict.copy())
    for name in ('visualizer', 'of another test'):  # neither may draw for the tool
        Visualizer.get_instance(name)

    def run(tool: str, *arguments: object) -> str:
        log = tmp_path / f'{tool}.log'
        run_forked(tool, *map(str, arguments), log=log)
        return log.read_text()

    return run


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config of our own bases over a generated data set of the bundled example's layout."""
    root = tmp_path_factory.mktemp('tools')
    make_coco_tree(root, image_size=(150, 130), num_images=3, objects=5)
    dataset = dict(data_root=f'{root}/', ann_file='train.json')
    loader = dict(num_workers=0, persistent_workers=False, dataset=dataset)
    evaluator = dict(ann_file=f'{root}/train.json')
    keys = dict(
        model=detector_cfg(patch_size=64, head=dict(num_classes=1)),
        train_dataloader=dict(num_workers=0, dataset=dataset),
        val_dataloader=loader,
        test_dataloader=loader,
        val_evaluator=evaluator,
        test_evaluator=evaluator,
        train_cfg=dict(
            type='mmpatch.PatchGDTrainLoop', sampling_rate=0.5, max_epochs=2, val_interval=2
        ),
        val_cfg=dict(type='ValLoop'),
        test_cfg=dict(type='TestLoop'),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3)),
        default_hooks=dict(logger=dict(interval=1)),
    )
    bases = [
        str(ROOT / 'configs' / '_base_' / name)
        for name in ('datasets/yellowstone.py', 'default_runtime.py')
    ]
    path = root / 'tiny.py'
    lines = [f'_base_ = {bases!r}', *(f'{key} = {value!r}' for key, value in keys.items())]
    path.write_text('\n'.join(lines))
    return path


@pytest.mark.slow
def test_train_resume_and_test(config: Path, tmp_path: Path, run_again: Callable[..., str]) -> None:
    text = run('train.py', config, '--work-dir', tmp_path / 'run', '--amp')
    assert 'coco/AP50' in text and 'eta' in text and 'fill_time' in text
    assert 'BF16OptimWrapper' in text
    text = run_again(
        'train.py', config, '--work-dir', tmp_path / 'run', '--resume',
        '--cfg-options', 'train_cfg.max_epochs=3',
    )  # fmt: skip
    assert 'resumed epoch: 2' in text and 'Epoch(train) [3]' in text
    checkpoint = tmp_path / 'run' / 'epoch_3.pth'
    text = run_again(
        'test.py', config, checkpoint, '--work-dir', tmp_path / 'test',
        '--show-dir', 'drawn', '--out', tmp_path / 'found.pkl',
    )  # fmt: skip
    assert 'coco/AP50' in text
    assert len(list((tmp_path / 'test').glob('*/drawn/*'))) == 3
    assert len(pickle.loads((tmp_path / 'found.pkl').read_bytes())) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ('tool', 'arguments', 'said'),
    [
        ('compare.py', ['--suite', 'nuclei', '--list'], r'(# .*\npython .*\n){5}'),
        ('demo.py', ['--help'], 'usage: .*'),
        ('test.py', ['nowhere.pth', '--cfg-options', 'optim_wraper=1'], ''),
        ('train.py', ['--cfg-options', 'optim_wraper=1'], ''),
    ],
)
def test_host_libraries_are_silent(
    tool: str, arguments: list[str], said: str, config: Path
) -> None:
    """Neither what they print at import nor their warnings of packages nobody asked for."""
    first = [str(config)] if tool in ('train.py', 'test.py') else []
    done = subprocess.run(
        [sys.executable, str(ROOT / 'tools' / tool), *first, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
    )
    assert re.fullmatch(said, done.stdout, re.DOTALL)
    errors = re.sub(OF_TORCH_2_4, '', done.stderr)
    if done.returncode:  # the last line is ours
        assert errors.startswith('Traceback')
        assert "did you mean 'optim_wrapper'" in errors.splitlines()[-1]
    else:
        assert errors == ''


@pytest.mark.slow
@pytest.mark.parametrize('parallel', ['batches', 'patches'])
def test_two_processes_on_a_cpu(config: Path, tmp_path: Path, parallel: str) -> None:
    done = subprocess.run(
        ['bash', str(ROOT / 'tools' / 'dist_train.sh'), str(config), '2', '--work-dir',
         str(tmp_path), '--cfg-options', 'train_cfg.max_epochs=1', f'train_cfg.parallel={parallel}'],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHON': sys.executable, 'PORT': '29619', 'CUDA_VISIBLE_DEVICES': ''},
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert (tmp_path / 'epoch_1.pth').exists()
    assert 'coco/AP50' in done.stdout + done.stderr


@pytest.mark.slow
def test_bad_input_ends_with_one_clear_error(
    config: Path, tmp_path: Path, run_again: Callable[..., str]
) -> None:
    """test_host_libraries_are_silent shows that the error is the last that a process prints."""
    wrong = ['train.py', config, '--work-dir', tmp_path, '--cfg-options']
    with pytest.raises(RuntimeError) as nowhere:
        run_again(*wrong, 'train_dataloader.dataset.ann_file=nowhere.json')
    assert 'nowhere.json' in str(nowhere.value)
    assert 'patch_fcos_yellowstone' in str(nowhere.value)
    with pytest.raises(RuntimeError) as classes:
        run_again(*wrong, 'model.bbox_head.num_classes=7')
    assert 'num_classes' in str(classes.value).splitlines()[-1]
    assert '7' in str(classes.value).splitlines()[-1]
