"""From an installed wheel, mim and mmengine find configs and tools."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        int(version('setuptools').partition('.')[0]) < 77,
        reason='building without isolation needs setuptools >= 77',
    ),
]


def _run(*command: object, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.rstrip()


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel and install it into a folder of its own."""
    tmp = tmp_path_factory.mktemp('wheel')
    # From a copy: a build writes beside setup.py.
    tree = tmp / 'tree'
    tree.mkdir()
    for name in ('mmpatch', 'configs', 'tools', 'setup.py', 'pyproject.toml', 'model-index.yml'):
        (tree / name).symlink_to(ROOT / name)
    pip = ('-m', 'pip', '--disable-pip-version-check')
    arguments = ('--no-deps', '--no-build-isolation', '--wheel-dir', tmp)
    _run(*pip, 'wheel', *arguments, tree, cwd=tmp)
    (wheel,) = tmp.glob('mmpatch-*.whl')
    _run(*pip, 'install', '--no-deps', '--no-index', '--target', tmp / 'site', wheel, cwd=tmp)
    return tmp / 'site'


def test_configs_and_tools_are_complete(site: Path) -> None:
    for folder in ('configs', 'tools'):
        wanted = {path.relative_to(ROOT) for path in (ROOT / folder).rglob('*.py')}
        for mim in (site / 'mmpatch' / '.mim', next(site.glob('mmpatch-*.dist-info')) / '.mim'):
            files = {path.relative_to(mim) for path in (mim / folder).rglob('*.py')}
            assert files == wanted
    assert (site / 'mmpatch' / 'py.typed').is_file()


def test_mim_finds_the_tools(site: Path, tmp_path: Path) -> None:
    pytest.importorskip('mim', reason='onedl-mim is not installed')
    code = 'from mim.utils import get_installed_path as path; print(path("mmpatch"))'
    found = Path(_run('-c', code, cwd=tmp_path, PYTHONPATH=str(site)).splitlines()[-1])
    assert found.is_relative_to(site)
    assert (found / '.mim' / 'tools' / 'train.py').is_file()
    assert (found / '.mim' / 'configs' / '_base_' / 'default_runtime.py').is_file()


@pytest.mark.parametrize('installed', [True, False], ids=['wheel', 'editable'])
def test_mmengine_finds_the_configs(site: Path, tmp_path: Path, installed: bool) -> None:
    (tmp_path / 'mine.py').write_text("_base_ = 'mmpatch::_base_/default_runtime.py'\n")
    code = (
        'import mmpatch; from mmengine.config import Config; '
        'print(mmpatch.__file__, len(Config.fromfile("mine.py")))'
    )
    where = {'PYTHONPATH': str(site)} if installed else {}
    file, keys = _run('-c', code, cwd=tmp_path, **where).splitlines()[-1].split()
    assert Path(file).is_relative_to(site if installed else ROOT)
    assert int(keys) > 0


def test_a_comparison_runs_from_the_wheel(site: Path, tmp_path: Path) -> None:
    """It finds the wheel's configs, and runs the wheel's tools."""
    tools = site / 'mmpatch' / '.mim' / 'tools'
    row = 'patch_unet_nuclei_no-global'
    wrong = [row, '--steps', '1', '--out', 'out', '--cfg-options', 'optim_wraper=1']
    code = (  # both in one process: most of its time goes into imports
        f'import runpy; main = runpy.run_path({str(tools / "compare.py")!r})["main"]; '
        f'main(["--suite", "nuclei", "--list"]); main({wrong!r})'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(site), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    train = f'python {site}/mmpatch/.mim/tools/train.py {site}/mmpatch/.mim/configs/'
    commands = [line for line in done.stdout.splitlines() if line.startswith('python')]
    assert len(commands) == 5 and all(line.startswith(train) for line in commands)
    table = (tmp_path / 'out' / 'table.md').read_text()
    assert "did you mean 'optim_wrapper'" in table, done.stdout + done.stderr
    log = (tmp_path / 'out' / f'{row}.log').read_text()
    assert f'{tools}/train.py' in log and str(ROOT) not in log
