"""The set-up from start to end."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from envsetup.console import SetupError, duration, environment, run, say, step
from envsetup.machine import operator_target
from envsetup.operators import WheelStore, check_buildable, install_operators
from envsetup.packages import Lock, Venv, install_packages
from envsetup.state import fingerprint, locked

ROOT = Path(__file__).resolve().parents[2]
#: Modules to import at the end; mmcv.ops fails if its operators do not fit the installed torch.
_MODULES = ('torch', 'torchvision', 'mmcv.ops', 'mmdet', 'mmseg', 'mmpretrain', 'mmpatch')


def main(arguments: Sequence[str]) -> int:
    """Set up; print one message if something is wrong."""
    parser = argparse.ArgumentParser(prog='setup_env.py', description='Make the environment.')
    parser.add_argument('--venv', type=Path, default=ROOT / '.venv', help='where to make it')
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        set_up(Venv((ROOT / options.venv).absolute()))
    except SetupError as error:
        print(f'mmpatch set-up: error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('mmpatch set-up: interrupted; call it again to go on.', file=sys.stderr)
        return 130
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Treat a request to stop as one from the keyboard, so that child processes stop too."""
    raise KeyboardInterrupt


def set_up(venv: Venv) -> None:
    """Run the steps that are not done yet."""
    start = time.monotonic()
    with locked(
        venv.path.with_name(f'{venv.path.name}.lock'), 'Another set-up is at work here ...'
    ):
        lock = Lock.of(ROOT)
        # The lock pins the CUDA libraries that torch was built for.
        target = operator_target('.'.join(lock.pin('cuda-toolkit').split('.')[:2]))
        store = WheelStore.of(lock, target)
        check_buildable(store)
        install_packages(venv, lock)
        install_operators(venv, store)
        install_project(venv)
    say(f'Environment ready in {duration(time.monotonic() - start)}: {venv.path}')


def install_project(venv: Venv) -> None:
    """Install mmpatch for editing, and check that everything can be imported."""
    wanted = fingerprint(str(ROOT), ROOT / 'setup.py', ROOT / 'mmpatch' / 'version.py')
    links = ROOT / 'mmpatch' / '.mim' / 'configs'
    if venv.state.done('project', wanted) and links.exists():
        return
    with (
        step('Installing mmpatch for editing, importing everything once', '20 s'),
        venv.state.doing('project', wanted),
    ):
        run(
            venv.pip('install', '--no-deps', '--no-build-isolation', '--editable', ROOT),
            'installing mmpatch',
            venv.log,
        )
        _import_all(venv)


def _import_all(venv: Venv) -> None:
    """Import all packages in the new environment.

    Raises:
        SetupError: if an import fails.
    """
    checked = subprocess.run(
        [str(venv.python), '-c', f'import {", ".join(_MODULES)}'],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=venv.notes,
        check=False,
    )
    if checked.returncode:
        raise SetupError(
            'the packages are installed but cannot be imported. If mmcv is named below, its wheel does '
            f'not fit: remove it from the wheel folder and run this again.\n{checked.stderr[-2000:]}'
        )
