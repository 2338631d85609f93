"""The set-up chooses what to compile from what the machine has, and says what is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envsetup.console import SetupError
from envsetup.machine import (
    check_compiler,
    check_space,
    compile_jobs,
    operator_target,
)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty PATH to put fake programs on."""
    for name in ('CUDA_HOME', 'CUDA_PATH', 'CUDA_VISIBLE_DEVICES', 'TORCH_CUDA_ARCH_LIST', 'CXX'):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / 'toolkit' / 'bin'
    folder.mkdir(parents=True)
    monkeypatch.setenv('PATH', str(folder))
    # Not the machine's own toolkit in its usual place.
    monkeypatch.setattr('envsetup.machine.USUAL_NVCC', tmp_path / 'nowhere')
    return folder


def _program(folder: Path, name: str, prints: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)


def test_no_gpu_means_cpu_also_with_a_toolkit(programs: Path) -> None:
    _program(programs, 'nvcc', 'Cuda compilation tools, release 13.0, V13.0.88')
    target = operator_target('13.0')
    assert target.tag == 'cpu'
    assert not target.is_cuda
    assert target.env == {'FORCE_CUDA': '0'}


def test_gpu_and_toolkit_mean_cuda(programs: Path) -> None:
    _program(programs, 'nvidia-smi', '9.0')
    _program(programs, 'nvcc', 'Cuda compilation tools, release 13.0, V13.0.88')
    target = operator_target('13.0')
    assert target.tag == 'cu130-sm90'
    assert target.is_cuda
    assert target.env == {
        'FORCE_CUDA': '1',
        'TORCH_CUDA_ARCH_LIST': '9.0',
        'CUDA_HOME': str(programs.parent),
    }


def test_hidden_gpu_is_no_gpu(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(programs, 'nvidia-smi', '9.0')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '-1')
    assert operator_target('13.0').tag == 'cpu'


def test_gpu_without_toolkit_says_what_is_lost(programs: Path) -> None:
    _program(programs, 'nvidia-smi', '8.6')
    target = operator_target('13.0')
    assert target.tag == 'cpu'
    assert 'nvcc is not' in target.why
    assert 'CUDA toolkit 13.x' in target.why


def test_toolkit_of_another_cuda_is_not_used(programs: Path) -> None:
    _program(programs, 'nvidia-smi', '8.6')
    _program(programs, 'nvcc', 'Cuda compilation tools, release 12.4, V12.4.1')
    target = operator_target('13.0')
    assert target.tag == 'cpu'
    assert 'is of CUDA 12.4, torch of CUDA 13.0' in target.why


@pytest.mark.usefixtures('programs')
def test_missing_compiler_is_said_with_the_remedy() -> None:
    with pytest.raises(SetupError, match=r'no C\+\+ compiler .*apt-get install g\+\+'):
        check_compiler()


def test_missing_headers_are_said_with_the_remedy(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(programs, 'c++', 'c++ 12.2')
    monkeypatch.setattr('sysconfig.get_paths', lambda: {'include': str(tmp_path)})
    with pytest.raises(SetupError, match=r'Python\.h not found.*apt-get install python3\.\d+-dev'):
        check_compiler()


def test_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('envsetup.machine.NEEDED_SPACE', 1e9)
    with pytest.raises(SetupError, match=r'GiB free; the packages and the build need'):
        check_space(tmp_path)


def test_jobs_follow_the_cores_or_the_users_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('MAX_JOBS', raising=False)
    assert 1 <= compile_jobs(cuda=False) <= (os.cpu_count() or 1)
    monkeypatch.setenv('MAX_JOBS', '7')
    assert compile_jobs(cuda=True) == 7
