"""Write ``requirements/lock-py3XX.txt`` for the Python that runs this.

    python3.11 scripts/update_lock.py

pip resolves ``requirements/environment.in`` without installing anything. Then the packages of
``LEFT_OUT`` are removed, together with all packages that only they need.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

from envsetup.packages import LEFT_OUT

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / 'requirements' / 'environment.in'
#: Compiled by the set-up; nothing else depends on it.
MMCV = 'onedl-mmcv==2.3.6'
#: Pinned with ``===``, so that a wheel of another build, such as ``2.11.0+cpu``, does not count.
EXACT = ('torch', 'torchvision')
#: PyTorch's CUDA libraries and compiler exist for Linux alone.
LINUX_ONLY = ('cuda-', 'nvidia-', 'triton')


def resolve() -> dict[str, Any]:
    """Let pip resolve the source file; return its report."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, 'report.json')
        command = [sys.executable, '-m', 'pip', 'install', '--quiet', '--dry-run']
        command += ['--ignore-installed', '--report', str(report), '-r', str(SOURCE)]
        subprocess.run(command, check=True)
        result: dict[str, Any] = json.loads(report.read_text(encoding='utf-8'))
        return result


def needed(packages: Mapping[str, Mapping[str, Any]], roots: Iterable[str]) -> set[str]:
    """Return the names of the roots and of their dependencies, except through ``LEFT_OUT``."""
    found: set[str] = set()
    open_: list[Requirement] = [Requirement(root) for root in roots]
    while open_:
        requirement = open_.pop()
        name = canonicalize_name(requirement.name)
        extras = requirement.extras or {''}
        if name not in packages or name in LEFT_OUT:
            continue
        seen = name in found and not requirement.extras
        found.add(name)
        if seen:
            continue
        for line in packages[name].get('requires_dist', []):
            child = Requirement(line)
            applies = child.marker is None or any(
                child.marker.evaluate({'extra': extra}) for extra in extras
            )
            if applies and (canonicalize_name(child.name) not in found or child.extras):
                open_.append(child)
    return found


def lock(report: Mapping[str, Any]) -> str:
    """Return the text of the lock file."""
    packages = {
        str(canonicalize_name(item['metadata']['name'])): item['metadata']
        for item in report['install']
    }
    lines = [line.partition('#')[0].strip() for line in SOURCE.read_text().splitlines()]
    kept = needed(packages, filter(None, lines))
    pins = [_pin(name, packages[name]['version']) for name in sorted(kept)]
    python = f'{sys.version_info.major}.{sys.version_info.minor}'
    return (
        f'# Python {python}; made by scripts/update_lock.py from environment.in. Install with --no-deps.\n'
        f'# Compiled by the set-up, not installed from here:\n# {MMCV}\n' + '\n'.join(pins) + '\n'
    )


def _pin(name: str, version: str) -> str:
    """Return the line of one package."""
    marker = ' ; sys_platform == "linux"' if name.startswith(LINUX_ONLY) else ''
    return f'{name}{"===" if name in EXACT else "=="}{version}{marker}'


def main() -> None:
    """Resolve and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--report', type=Path, help='use this report of pip, do not resolve')
    options = parser.parse_args()
    report = json.loads(options.report.read_text()) if options.report else resolve()
    target = ROOT / 'requirements' / f'lock-py3{sys.version_info.minor}.txt'
    target.write_text(lock(report), encoding='utf-8')
    print(f'wrote {target}')


if __name__ == '__main__':
    main()
