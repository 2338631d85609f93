"""The set-up chooses what to compile from what the machine has, and says what is missing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from envsetup.console import SetupError
from envsetup.machine import (
    check_compiler,
    check_space,
    compile_jobs,
    cuda_home,
    library_headers,
    operator_target,
)

#: What the choice depends on; the tests start without any of it.
SETTINGS = (
    'CUDA_HOME',
    'CUDA_PATH',
    'CUDA_VISIBLE_DEVICES',
    'CXX',
    'FORCE_CUDA',
    'TORCH_CUDA_ARCH_LIST',
)
NVCC_13 = 'Cuda compilation tools, release 13.0, V13.0.88'


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty PATH to put fake programs on."""
    for name in SETTINGS:
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
    _program(programs, 'nvcc', NVCC_13)
    target = operator_target('13.0')
    assert target.tag == 'cpu'
    assert not target.is_cuda
    assert target.env['FORCE_CUDA'] == '0'


def test_gpu_and_toolkit_mean_cuda(programs: Path) -> None:
    _program(programs, 'nvidia-smi', '9.0')
    _program(programs, 'nvcc', NVCC_13)
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
    # mmcv's build would see the GPU, choose CUDA all the same, and fail for want of nvcc.
    assert target.env == {'FORCE_CUDA': '0', 'CUDA_VISIBLE_DEVICES': ''}


def test_toolkit_of_another_cuda_is_not_used(programs: Path) -> None:
    _program(programs, 'nvidia-smi', '8.6')
    _program(programs, 'nvcc', 'Cuda compilation tools, release 12.4, V12.4.1')
    target = operator_target('13.0')
    assert target.tag == 'cpu'
    assert 'is of CUDA 12.4, torch of CUDA 13.0' in target.why


def test_cuda_without_a_gpu_is_compiled_if_asked_for(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(programs, 'nvcc', NVCC_13)
    monkeypatch.setenv('FORCE_CUDA', '1')
    monkeypatch.setenv('TORCH_CUDA_ARCH_LIST', '8.0;9.0+PTX')
    target = operator_target('13.0')
    assert target.tag == 'cu130-sm80-90-ptx'
    assert target.env['FORCE_CUDA'] == '1'
    assert target.env['TORCH_CUDA_ARCH_LIST'] == '8.0;9.0+PTX'


def test_cuda_without_a_gpu_needs_an_architecture(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(programs, 'nvcc', NVCC_13)
    monkeypatch.setenv('FORCE_CUDA', '1')
    with pytest.raises(SetupError, match=r"no GPU is visible .* TORCH_CUDA_ARCH_LIST='8\.0'"):
        operator_target('13.0')


@pytest.mark.parametrize(
    ('nvcc', 'problem'),
    [
        ('', 'but nvcc is not found. Install the CUDA toolkit 13.x'),
        (NVCC_13.replace('13.0', '12.4'), 'is of CUDA 12.4, torch of CUDA 13.0. Install'),
    ],
)
def test_cuda_that_cannot_be_compiled_is_refused_if_asked_for(
    programs: Path, monkeypatch: pytest.MonkeyPatch, nvcc: str, problem: str
) -> None:
    if nvcc:
        _program(programs, 'nvcc', nvcc)
    monkeypatch.setenv('FORCE_CUDA', '1')
    with pytest.raises(SetupError, match=f'FORCE_CUDA=1 asks for CUDA .*{re.escape(problem)}'):
        operator_target('13.0')


def test_toolkit_is_found_through_a_script_on_path(programs: Path, tmp_path: Path) -> None:
    real = tmp_path / 'cuda-13.0' / 'bin'
    _program(programs, 'nvcc', f'#$ _HERE_={real}\n#$ TOP={real}/..\n')
    assert cuda_home(programs / 'nvcc') == tmp_path / 'cuda-13.0'
    _program(programs, 'nvcc', 'nothing of that kind')
    assert cuda_home(programs / 'nvcc') == programs.parent


def test_headers_of_torch_s_packages_fill_a_toolkit_without_them(tmp_path: Path) -> None:
    packages, home = tmp_path / 'site-packages', tmp_path / 'cuda'
    folders = [packages / 'nvidia' / name / 'include' for name in ('cu13', 'nccl')]
    for folder in (*folders, home / 'include'):
        folder.mkdir(parents=True)
    assert library_headers(home, packages) == folders
    (home / 'include' / 'cusparse.h').touch()
    assert library_headers(home, packages) == []


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
