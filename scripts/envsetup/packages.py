"""The virtual environment and the pinned packages in it."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from envsetup.console import SetupError, environment, run, say, step
from envsetup.machine import check_space
from envsetup.state import State, fingerprint

#: Packages that builds from source need. pip installs them first and builds with them.
_BUILD_TOOLS = ('pip', 'setuptools', 'wheel', 'packaging', 'click', 'ninja')
#: Dependencies that are not in the lock (requirements/README.md says why).
LEFT_OUT = ('imagecorruptions-imaug', 'opencv-python', 'opendatalab')


@dataclass(frozen=True)
class Lock:
    """The pinned packages for one version of Python."""

    path: Path

    @classmethod
    def of(cls, root: Path) -> Lock:
        """Return the lock for the running Python."""
        return cls(root / 'requirements' / f'lock-py3{sys.version_info.minor}.txt')

    @property
    def text(self) -> str:
        """The content of the file."""
        return self.path.read_text(encoding='utf-8')

    def pin(self, name: str) -> str:
        """Return the pinned version of a package.

        Raises:
            SetupError: if the lock does not name the package.
        """
        found = re.search(
            rf'^(?:# )?{re.escape(name)}={{2,3}}([^\s;]+)', self.text, flags=re.MULTILINE
        )
        if not found:
            raise SetupError(f'{self.path} does not pin {name}.')
        return found[1]


@dataclass(frozen=True)
class Venv:
    """A virtual environment that this set-up makes."""

    path: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / 'bin' / 'python'

    @property
    def site_packages(self) -> Path:
        """The folder of its packages."""
        return self.path / 'lib' / f'python3.{sys.version_info.minor}' / 'site-packages'

    @property
    def notes(self) -> Path:
        """The folder for state and logs, which also marks the environment as ours."""
        return self.path / '.mmpatch'

    @property
    def log(self) -> Path:
        """The output of all commands."""
        return self.notes / 'setup.log'

    @property
    def state(self) -> State:
        """The steps done in this environment."""
        return State(self.notes / 'state.json')

    def pip(self, *arguments: str | Path) -> list[str | Path]:
        """Return a command of this environment's pip."""
        return [self.python, '-m', 'pip', *arguments]


def check_venv_module() -> None:
    """Check that this Python can make environments.

    Raises:
        SetupError: if a module is missing (Debian has them in a package of their own).
    """
    if not all(map(importlib.util.find_spec, ('venv', 'ensurepip'))):
        name = f'python3.{sys.version_info.minor}-venv'
        raise SetupError(
            f'{sys.executable} has no module venv. Install it and run this again: '
            f'`apt-get install {name}` (Debian, Ubuntu).'
        )


def install_packages(venv: Venv, lock: Lock) -> None:
    """Make the environment and install the packages of the lock, unless that is done."""
    made_from = fingerprint(sys.version, sys.executable, str(venv.path))
    wanted = fingerprint(made_from, lock.path)
    if venv.state.done('packages', wanted) and venv.python.exists():
        return
    check_venv_module()
    _make(venv, made_from)
    check_space(venv.path.parent)
    tools = [f'{name}=={lock.pin(name)}' for name in _BUILD_TOOLS]
    with (
        step(
            f'Installing the pinned packages of {lock.path.name} into {venv.path}',
            '2 to 5 min; downloads about 3 GB, as torch carries its CUDA libraries along: torchvision '
            'imports beside that torch only, so machines without a GPU get them too',
        ),
        venv.state.doing('packages', wanted),
    ):
        # --no-deps: pip would add the packages that the lock leaves out on purpose.
        common = ('install', '--no-deps', '--progress-bar', 'off')
        run(venv.pip(*common, *tools), 'installing the build tools', venv.log)
        run(
            venv.pip(*common, '--no-build-isolation', '-r', lock.path),
            'installing the pinned packages',
            venv.log,
        )
    _report_conflicts(venv)


def _make(venv: Venv, made_from: str) -> None:
    """Make an empty environment, unless there is a sound one that can be updated."""
    if venv.path.exists() and not venv.notes.is_dir() and any(venv.path.iterdir()):
        raise SetupError(
            f'{venv.path} exists and was not made by this set-up. Move it away, or choose another '
            'folder: `make VENV=...`.'
        )
    state = venv.state
    if state.done('venv', made_from) and not state.cut_off('packages') and venv.python.exists():
        return
    if state.cut_off('packages'):
        say('The last set-up was cut off while it installed packages: starting again.')
    shutil.rmtree(venv.path, ignore_errors=True)
    # The mark comes first, so that the next call knows a half-made environment as ours.
    with State(venv.notes / 'state.json').doing('venv', made_from):
        run([sys.executable, '-m', 'venv', venv.path], 'making the environment', venv.log)


def _report_conflicts(venv: Venv) -> None:
    """Let pip check the packages; report conflicts, except for packages left out on purpose."""
    checked = subprocess.run(
        [str(part) for part in venv.pip('check')],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    expected = re.compile(rf'requires ({"|".join(LEFT_OUT)}), which is not installed')
    for line in checked.stdout.splitlines():
        if checked.returncode and not expected.search(line):
            say(f'  ATTENTION: {line}')
