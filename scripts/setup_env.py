"""Make the environment that mmpatch is developed, tested and shown in.

    python3 scripts/setup_env.py

Makes ``.venv`` in the checkout, installs the pinned packages of ``requirements/``, compiles the
operators of mmcv once for all checkouts, and installs mmpatch itself for editing. A second call finds
everything done and ends at once. A call after an interruption goes on where the last one stopped. The
script needs the standard library only.

Settings (of the environment, or behind ``make env``):
    MMPATCH_WHEEL_DIR     where compiled wheels are kept (default: ~/.cache/mmpatch/wheels)
    MAX_JOBS              how many files are compiled at once (default: one per core)
    FORCE_CUDA            1 compiles CUDA operators where no GPU is visible, as in a container's build
    TORCH_CUDA_ARCH_LIST  compute capabilities to compile for, such as 8.0;9.0 (default: the visible GPUs')
"""

# This file has no `from __future__ import annotations` and no new syntax: an old Python must get as far
# as the message that it is too old.
import sys

SUPPORTED = ((3, 10), (3, 11), (3, 12))


def refuse_python():
    # type: () -> str
    """Say why this Python cannot be used and which one can; empty where it can."""
    if sys.version_info[:2] in SUPPORTED:
        return ''
    import os
    import subprocess

    names = ['python{}.{}'.format(*version) for version in SUPPORTED]
    found = []
    with open(os.devnull, 'w') as null:
        for name in names:
            try:
                # Run it: a version manager puts names on PATH that lead nowhere.
                if subprocess.call([name, '-c', 'import venv, ensurepip'], stderr=null) == 0:
                    found.append(name)
            except OSError:
                pass
    if found:
        hint = 'Found here: run `make PYTHON={}` with your target.'.format(found[-1])
    else:
        hint = 'Install one of {} (with its venv module) and run `make PYTHON=...`.'
        hint = hint.format(', '.join(names))
    return 'mmpatch needs Python 3.10, 3.11 or 3.12; {} is {}. {}'.format(
        sys.executable, sys.version.split()[0], hint
    )


def main():
    # type: () -> int
    """Check the Python, then hand over."""
    problem = refuse_python()
    if problem:
        sys.stderr.write('mmpatch set-up: error: {}\n'.format(problem))
        return 1
    from envsetup.main import main as set_up

    return set_up(sys.argv[1:])


if __name__ == '__main__':
    sys.exit(main())
