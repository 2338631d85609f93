"""Finds what this machine has: compiler, memory, GPU, CUDA toolkit."""

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

#: Disk space that the packages and the build need [GiB].
NEEDED_SPACE = 9
#: Where the toolkit's own installer puts the CUDA compiler.
USUAL_NVCC = Path('/usr/local/cuda/bin/nvcc')
#: Peak memory of one compiler [GiB]; nvcc takes more.
_COMPILER_MEMORY = {'cpu': 1.0, 'cuda': 3.0}


@dataclass(frozen=True)
class OperatorTarget:
    """The device that the operators of mmcv are compiled for.

    Args:
        tag: Part of the wheel folder's name, such as ``cpu`` or ``cu130-sm90``.
        why: A sentence for the user.
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
    """Choose CPU or CUDA: by the visible GPUs, or by ``FORCE_CUDA``, which mmcv reads too.

    Args:
        torch_cuda: The CUDA version that the pinned torch was built with, such as ``13.0``.

    Raises:
        SetupError: if ``FORCE_CUDA=1`` asks for CUDA and CUDA cannot be compiled here.
    """
    capabilities = gpu_capabilities()
    forced = os.environ.get('FORCE_CUDA') == '1'
    # mmcv compiles for CUDA where torch sees a GPU, whatever FORCE_CUDA says: hide the GPUs.
    cpu_env = {'FORCE_CUDA': '0', 'CUDA_VISIBLE_DEVICES': ''}
    if not capabilities and not forced:
        return OperatorTarget('cpu', 'No GPU visible: operators of mmcv for the CPU.', cpu_env)
    nvcc = find_nvcc()
    problem = _nvcc_problem(nvcc, torch_cuda)
    if nvcc is None or problem:
        remedy = (
            f'Install the CUDA toolkit {torch_cuda.partition(".")[0]}.x, put its nvcc on PATH (or set '
            'CUDA_HOME) and run this again.'
        )
        if forced:
            raise SetupError(f'FORCE_CUDA=1 asks for CUDA operators, but {problem}. {remedy}')
        return OperatorTarget(
            'cpu',
            f'ATTENTION: a GPU is visible, but {problem}. The operators of mmcv are compiled for the '
            'CPU alone: FCOS trains and predicts with slower replacements, and RoIAlign and the like '
            f'refuse tensors on the GPU. {remedy}',
            cpu_env,
        )
    archs = os.environ.get('TORCH_CUDA_ARCH_LIST') or ';'.join(capabilities)
    if not archs:
        raise SetupError(
            'FORCE_CUDA=1 asks for CUDA operators, but no GPU is visible whose compute capability '
            "could be asked. Name it: TORCH_CUDA_ARCH_LIST='8.0' (A100), '8.6' (RTX 30), '9.0' "
            "(H100), or several, '8.0;9.0'. Each one adds to the time of the compilation."
        )
    version = nvcc_version(nvcc)
    name = re.sub(r'[^0-9a-z]+', '-', archs.replace('.', '').lower()).strip('-')
    return OperatorTarget(
        f'cu{version.replace(".", "")}-sm{name}',
        f'Operators of mmcv for CUDA {version}, compute capability {archs}.',
        {'FORCE_CUDA': '1', 'TORCH_CUDA_ARCH_LIST': archs, 'CUDA_HOME': str(cuda_home(nvcc))},
    )


def _nvcc_problem(nvcc: Path | None, torch_cuda: str) -> str:
    """Say why operators for this torch cannot be compiled with this compiler; empty if they can."""
    if nvcc is None:
        return 'nvcc is not found'
    version = nvcc_version(nvcc)
    if version.partition('.')[0] == torch_cuda.partition('.')[0]:
        return ''
    return f'{nvcc} is of CUDA {version or "?"}, torch of CUDA {torch_cuda}'


def gpu_capabilities() -> list[str]:
    """Return the compute capabilities of the visible GPUs, such as ``['9.0']``."""
    if os.environ.get('CUDA_VISIBLE_DEVICES', '0').strip() in ('', '-1'):
        return []
    lines = _output(['nvidia-smi', '--query-gpu=compute_cap', '--format=csv,noheader'])
    return sorted(set(re.findall(r'^\s*(\d+\.\d+)\s*$', lines, flags=re.MULTILINE)))


def find_nvcc() -> Path | None:
    """Return the CUDA compiler, from the places where torch looks for it."""
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


def cuda_home(nvcc: Path) -> Path:
    """Return the folder of the toolkit that a CUDA compiler belongs to.

    ``nvcc`` on PATH may be a script that calls the compiler elsewhere: ask the compiler itself.
    """
    printed = _output([str(nvcc), '--dryrun', '-x', 'cu', os.devnull])
    found = re.search(r'^#\$ TOP=(.+)$', printed, flags=re.MULTILINE)
    return Path(found[1]).resolve() if found else nvcc.resolve().parents[1]


def library_headers(home: Path, site_packages: Path) -> list[Path]:
    """Return folders with the headers of the CUDA libraries that a toolkit lacks.

    PyTorch's headers include those of cuBLAS, cuSOLVER and cuSPARSE. A toolkit that is a compiler
    alone does not have them; the packages that torch brings along do.

    Args:
        home: The toolkit's folder.
        site_packages: The packages of the environment.
    """
    if (home / 'include' / 'cusparse.h').is_file():
        return []
    return sorted(site_packages.glob('nvidia/*/include'))


def check_compiler() -> None:
    """Check that C++ can be compiled against this Python.

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
    """Check that the packages fit on the disk.

    Raises:
        SetupError: if there is too little space.
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
    """Return how many compilers run at once: one per core, or fewer if memory is short."""
    asked = os.environ.get('MAX_JOBS', '')
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    return max(1, min(cores(), int(memory / _COMPILER_MEMORY['cuda' if cuda else 'cpu'])))


def _output(command: Sequence[str]) -> str:
    """Return the output of a command; an empty string if it cannot be run or fails."""
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return done.stdout if done.returncode == 0 else ''
