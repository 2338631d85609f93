"""Keeps which steps are done, and locks out a second set-up."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envsetup.console import say

#: Fingerprint of a step that began and did not end.
_BEGUN = 'begun'


class State:
    """Fingerprints of the steps that are done, in a small file.

    A step is repeated if its fingerprint changed, or if the last attempt was cut off.

    Args:
        path: The JSON file. The first step makes it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._steps: dict[str, str] = json.loads(path.read_text(encoding='utf-8'))
        except (OSError, ValueError):
            self._steps = {}

    def done(self, name: str, fingerprint: str) -> bool:
        """Tell whether the step ended with this fingerprint."""
        return self._steps.get(name) == fingerprint

    def cut_off(self, name: str) -> bool:
        """Tell whether the step began and did not end."""
        return self._steps.get(name) == _BEGUN

    @contextmanager
    def doing(self, name: str, fingerprint: str) -> Iterator[None]:
        """Note the start of a step, and its end if it succeeds."""
        self._write(name, _BEGUN)
        yield
        self._write(name, fingerprint)

    def _write(self, name: str, value: str) -> None:
        self._steps[name] = value
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix('.part')
        part.write_text(json.dumps(self._steps, indent=2) + '\n', encoding='utf-8')
        os.replace(part, self._path)


def fingerprint(*parts: object) -> str:
    """Return a short hash of values, and of the contents of files."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else str(part).encode()
        digest.update(len(data).to_bytes(8, 'big') + data)
    return digest.hexdigest()[:16]


@contextmanager
def locked(path: Path, waiting: str) -> Iterator[None]:
    """Hold a file lock. While another process holds it, say so and wait.

    The system releases the lock when the process ends, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w') as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
