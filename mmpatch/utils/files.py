"""Writing files that others may read at any time."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the whole new one, never a part.

    The data are on the disk before they take the place of the old file. Until then they are in a
    file of a name that no other process uses.

    Args:
        path: The file to write; missing folders are made.
        data: Its contents.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.', suffix='.partial')
    try:
        with os.fdopen(handle, 'wb') as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # mkstemp gives 0600, which others could not read
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: Path, message: str) -> Iterator[None]:
    """Hold a lock that no other process has; it ends with the process, however that ends.

    Args:
        path: File of the lock; it is made and stays.
        message: Said if another process has it.

    Raises:
        RuntimeError: If another process has it.
    """
    with path.open('a+') as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise RuntimeError(f'{message} (process {stream.read().strip()})') from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield
