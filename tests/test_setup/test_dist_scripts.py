"""The launch scripts take mmdet's arguments and hand the rest through."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def _launch(script: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script with `echo` in the place of Python."""
    return subprocess.run(
        [str(TOOLS / script), *arguments],
        env={'PATH': os.environ['PATH'], 'PYTHON': 'echo', **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ('script', 'arguments', 'end'),
    [
        ('dist_train.sh', ('c.py', '2'), 'train.py c.py --launcher pytorch --amp'),
        ('dist_test.sh', ('c.py', 'w.pth', '2'), 'test.py c.py w.pth --launcher pytorch --amp'),
    ],
)
def test_arguments_are_handed_through(script: str, arguments: tuple[str, ...], end: str) -> None:
    done = _launch(script, *arguments, '--amp')
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('-m torch.distributed.run')
    assert '--nproc_per_node=2' in done.stdout
    assert '--nnodes=1 --node_rank=0 --master_addr=127.0.0.1 --master_port=29500' in done.stdout
    assert done.stdout.rstrip().endswith(end)


def test_nodes_and_port_come_from_the_environment() -> None:
    done = _launch('dist_train.sh', 'c.py', '8', NNODES='2', NODE_RANK='1', PORT='29511')
    assert '--nnodes=2 --node_rank=1' in done.stdout
    assert '--master_port=29511' in done.stdout


@pytest.mark.parametrize(
    ('script', 'end'),
    [
        ('slurm_train.sh', 'train.py c.py --work-dir out --launcher slurm --amp'),
        ('slurm_test.sh', 'test.py c.py out --launcher slurm --amp'),
    ],
)
def test_slurm_gets_its_arguments(tmp_path: Path, script: str, end: str) -> None:
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\necho "$@"\n')
    srun.chmod(0o755)
    path = f'{tmp_path}:{os.environ["PATH"]}'
    arguments = ('part', 'job', 'c.py', 'out', '--amp')
    done = _launch(script, *arguments, PATH=path, GPUS='16', SRUN_ARGS='--time=1:00 --exclusive')
    assert done.returncode == 0, done.stderr
    for text in (
        '--partition=part --job-name=job --gres=gpu:8 --ntasks=16 --ntasks-per-node=8',
        '--kill-on-bad-exit=1 --time=1:00 --exclusive echo -u',
    ):
        assert text in done.stdout
    assert done.stdout.rstrip().endswith(end)
    few = _launch(script, *arguments, PATH=path, GPUS='2')
    assert '--gres=gpu:2 --ntasks=2 --ntasks-per-node=2' in few.stdout


@pytest.mark.parametrize(
    'script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh']
)
def test_missing_arguments_are_said(script: str) -> None:
    done = _launch(script, 'c.py')
    assert done.returncode == 2
    assert done.stderr.startswith('usage: ')
