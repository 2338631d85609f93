"""Builds mmcv with its operators once, and keeps the wheel for every checkout."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from envsetup.console import SetupError, environment, run, run_counted, say, step
from envsetup.machine import OperatorTarget, check_compiler, compile_jobs, library_headers
from envsetup.packages import Lock, Venv
from envsetup.state import fingerprint, locked

#: The maintained build of mmcv, which is published as source only.
DISTRIBUTION = 'onedl-mmcv'
#: Time of the build on one core [min], for CUDA with one compute capability.
_CORE_MINUTES = {'cpu': 15, 'cuda': 98}


@dataclass(frozen=True)
class WheelStore:
    """The folder of compiled wheels, outside the checkout, so that the next one finds them too.

    pip's own cache will not do: it reuses a wheel whatever torch it was built against.
    """

    root: Path
    version: str
    torch: str
    target: OperatorTarget

    @classmethod
    def of(cls, lock: Lock, target: OperatorTarget) -> WheelStore:
        """Return the store for the pinned versions."""
        default = Path.home() / '.cache' / 'mmpatch' / 'wheels'
        root = Path(os.environ.get('MMPATCH_WHEEL_DIR') or default).expanduser().resolve()
        return cls(root, lock.pin(DISTRIBUTION), lock.pin('torch'), target)

    @property
    def key(self) -> str:
        """The name of the wheel's folder: everything that the build depends on."""
        python = f'cp3{sys.version_info.minor}'
        system = f'{platform.system()}-{platform.machine()}'.lower()
        return f'{python}-torch{self.torch}-{self.target.tag}-{system}'

    @property
    def folder(self) -> Path:
        """The folder of this wheel."""
        return self.root / self.key

    def find(self) -> Path | None:
        """Return the wheel, if it has been built."""
        pattern = f'{DISTRIBUTION.replace("-", "_")}-{self.version}-*.whl'
        return next(iter(sorted(self.folder.glob(pattern))), None)


def check_buildable(store: WheelStore) -> None:
    """Check for a compiler before anything is downloaded, unless the wheel is there already.

    Raises:
        SetupError: if the compiler is missing or the store cannot be written.
    """
    if store.find() is not None:
        return
    check_compiler()
    try:
        store.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f'cannot write compiled wheels to {store.root} ({error.strerror}); choose another folder '
            'with MMPATCH_WHEEL_DIR=...'
        ) from error


def install_operators(venv: Venv, store: WheelStore) -> None:
    """Install mmcv for this machine, unless that is done. Compile it if there is no wheel yet."""
    # A new lock may bring another mmcv or torch, so the step depends on the wheel.
    wheel = store.find()
    if wheel and venv.state.done('operators', _fingerprint(wheel)):
        return
    say(store.target.why)
    if wheel is None:
        wheel = build(venv, store)
    with (
        step(f'Installing {wheel.name}', '5 s'),
        venv.state.doing('operators', _fingerprint(wheel)),
    ):
        # --ignore-installed: pip cannot uninstall the remains of an interrupted installation.
        run(
            venv.pip('install', '--no-deps', '--no-index', '--ignore-installed', wheel),
            f'installing {wheel}',
            venv.log,
        )


def build(venv: Venv, store: WheelStore) -> Path:
    """Compile mmcv into the store and return the wheel.

    The wheel is built beside its place and moved there when it is complete. A lock keeps two set-ups
    from building the same wheel.
    """
    waiting = f'Another set-up is compiling for {store.key}; waiting for it ...'
    with locked(store.root / f'{store.key}.lock', waiting):
        ready = store.find()
        if ready:
            return ready
        for left in store.root.glob(f'.{store.key}.*'):  # remains of killed builds
            shutil.rmtree(left, ignore_errors=True)
        part = Path(tempfile.mkdtemp(prefix=f'.{store.key}.', dir=store.root))
        try:
            jobs = compile_jobs(store.target.is_cuda)
            minutes = _CORE_MINUTES['cuda' if store.target.is_cuda else 'cpu'] / jobs
            with step(
                f'Compiling the operators of mmcv {store.version}, {jobs} files at a time, into '
                f'{store.folder} (once for this machine)',
                f'{max(1, round(minutes))} min',
            ):
                _compile(venv, store, part, jobs)
            (built,) = part.glob('*.whl')
            _check_operators(built)
            store.folder.mkdir(parents=True, exist_ok=True)
            os.replace(built, store.folder / built.name)
            return store.folder / built.name
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _compile(venv: Venv, store: WheelStore, folder: Path, jobs: int) -> None:
    """Let pip build the wheel from source, with the torch of the environment."""
    arguments = ('wheel', '-v', '--no-deps', '--no-build-isolation', '--no-cache-dir')
    path = f'{venv.path / "bin"}{os.pathsep}{os.environ.get("PATH", os.defpath)}'  # for ninja
    settings = {'MMCV_WITH_OPS': '1', 'MAX_JOBS': str(jobs), 'PATH': path, **store.target.env}
    # Python's own flags ask for debugging information, which takes a third of the time.
    settings['CFLAGS'] = f'{os.environ.get("CFLAGS", "")} -g0'.strip()
    if store.target.is_cuda:
        # CPATH comes after the toolkit's own folders: it fills gaps and hides nothing.
        headers = library_headers(Path(settings['CUDA_HOME']), venv.site_packages)
        given = filter(None, [os.environ.get('CPATH')])
        settings['CPATH'] = os.pathsep.join([*given, *map(str, headers)])
    run_counted(
        venv.pip(
            *arguments,
            *('--no-binary', DISTRIBUTION, '--wheel-dir', folder),
            f'{DISTRIBUTION}=={store.version}',
        ),
        'compiling the operators of mmcv',
        venv.log,
        environment(settings),
    )


def _check_operators(wheel: Path) -> None:
    """Check that the wheel has its compiled part: mmcv's build leaves it out without torch."""
    with zipfile.ZipFile(wheel) as archive:
        if not any(name.startswith('mmcv/_ext') for name in archive.namelist()):
            raise SetupError(f'{wheel.name} came out without compiled operators (mmcv/_ext).')


def _fingerprint(wheel: Path) -> str:
    """Return a fingerprint of a wheel without reading all of it."""
    stat = wheel.stat()
    return fingerprint(str(wheel), stat.st_size, stat.st_mtime_ns)
