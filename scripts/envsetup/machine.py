"""What this machine has: compiler, memory, GPU, CUDA toolkit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from envsetup.console import SetupError

#: Free space that packages and build need [GiB].
NEEDED_SPACE = 9
#: Where the toolkit's own installer puts the CUDA compiler.
USUAL_NVCC = Path('/usr/local/cuda/bin/nvcc')
#: Memory that one compiler takes at most [GiB]; nvcc takes more.
_COMPILER_MEMORY = {'cpu': 1.0, 'cuda': 3.0}


@dataclass(frozen=True)
class OperatorTarget:
    """What the operators of mmcv are compiled for.

    Args:
        tag: Part of the wheel folder's name, such as ``cpu`` or ``cu130-sm90``.
        why: One sentence for the user.
        env: Environment of the build.
    """

    tag: str
    why: str
    env: dict[str, str] = field(default_factory=dict)

    @property
    def is_cuda(self) -> bool:
        """Whether CUDA kernels are compiled."""
        return self.tag != 'cpu'


def operator_target(torch_cuda: str) -> OperatorTarget:
    """Choose CPU or CUDA from what is visible.

    Args:
        torch_cuda: The CUDA version that the pinned torch was built with, such as ``13.0``.
    """
    cpu_env = {'FORCE_CUDA': '0'}
    capabilities = gpu_capabilities()
    if not capabilities:
        return OperatorTarget('cpu', 'No GPU visible: operators of mmcv for the CPU.', cpu_env)
    nvcc = find_nvcc()
    major = torch_cuda.partition('.')[0]
    without = (
        'so the operators of mmcv are compiled for the CPU alone: training and plain layers run on the '
        'GPU, but NMS, RoIAlign and the like refuse tensors there. Install the CUDA toolkit '
        f'{major}.x, put its nvcc on PATH (or set CUDA_HOME) and run this again.'
    )
    if nvcc is None:
        return OperatorTarget(
            'cpu', f'ATTENTION: a GPU is visible but nvcc is not, {without}', cpu_env
        )
    version = nvcc_version(nvcc)
    if version.partition('.')[0] != major:
        return OperatorTarget(
            'cpu',
            f'ATTENTION: {nvcc} is of CUDA {version or "?"}, torch of CUDA {torch_cuda}, {without}',
            cpu_env,
        )
    archs = os.environ.get('TORCH_CUDA_ARCH_LIST') or ';'.join(capabilities)
    name = re.sub(r'[^0-9a-z]+', '-', archs.replace('.', '').lower()).strip('-')
    return OperatorTarget(
        f'cu{version.replace(".", "")}-sm{name}',
        f'GPU visible (compute capability {archs}): operators of mmcv for CUDA {version}.',
        {
            'FORCE_CUDA': '1',
            'TORCH_CUDA_ARCH_LIST': archs,
            'CUDA_HOME': str(nvcc.resolve().parents[1]),
        },
    )


def gpu_capabilities() -> list[str]:
    """Return the compute capabilities of the visible GPUs, such as ``['9.0']``."""
    if os.environ.get('CUDA_VISIBLE_DEVICES', '0').strip() in ('', '-1'):
        return []
    lines = _output(['nvidia-smi', '--query-gpu=compute_cap', '--format=csv,noheader'])
    return sorted(set(re.findall(r'^\s*(\d+\.\d+)\s*$', lines, flags=re.MULTILINE)))


def find_nvcc() -> Path | None:
    """Return the CUDA compiler, where torch looks for it too."""
    homes = [os.environ.get('CUDA_HOME'), os.environ.get('CUDA_PATH')]
    candidates = [Path(home, 'bin', 'nvcc') for home in homes if home]
    on_path = shutil.which('nvcc')
    if on_path:
        candidates.append(Path(on_path))
    candidates.append(USUAL_NVCC)
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


def nvcc_version(nvcc: Path) -> str:
    """Return ``major.minor`` of a CUDA compiler, or an empty string."""
    found = re.search(r'release (\d+\.\d+)', _output([str(nvcc), '--version']))
    return found[1] if found else ''


def check_compiler() -> None:
    """Make sure that C++ can be compiled against this Python.

    Raises:
        SetupError: if the compiler or the headers of Python are missing.
    """
    name = os.environ.get('CXX') or 'c++'
    compilers = [name] if os.environ.get('CXX') else ['c++', 'g++', 'clang++']
    if not any(_output([*compiler.split(), '--version']) for compiler in compilers):
        raise SetupError(
            f'no C++ compiler ({", ".join(compilers)}) found; the operators of mmcv are compiled here, '
            'once. Install one and run this again: `apt-get install g++` (Debian, Ubuntu), '
            '`dnf install gcc-c++` (Fedora), `xcode-select --install` (macOS).'
        )
    header = Path(sysconfig.get_paths()['include'], 'Python.h')
    if not header.is_file():
        raise SetupError(
            f'{header} not found; the operators of mmcv are compiled against it. Install the headers of '
            f'this Python: `apt-get install python{sysconfig.get_python_version()}-dev` (Debian, '
            'Ubuntu), `dnf install python3-devel` (Fedora).'
        )


def check_space(folder: Path) -> None:
    """Make sure that the packages fit on the disk.

    Raises:
        SetupError: if they do not.
    """
    free = shutil.disk_usage(folder).free / 2**30
    if free < NEEDED_SPACE:
        raise SetupError(
            f'{folder} has {free:.1f} GiB free; the packages and the build need {NEEDED_SPACE} GiB.'
        )


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def compile_jobs(cuda: bool) -> int:
    """Return how many compilers run at once: one a core, as far as memory goes."""
    asked = os.environ.get('MAX_JOBS', '')
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    return max(1, min(cores(), int(memory / _COMPILER_MEMORY['cuda' if cuda else 'cpu'])))


def _output(command: Sequence[str]) -> str:
    """Return what a command prints, or an empty string if it cannot be run or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return done.stdout if done.returncode == 0 else ''
