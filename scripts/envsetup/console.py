"""Messages of the set-up, and the commands that it runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

#: ninja's counter, as in ``[12/77] c++ ...``.
_COUNTER = re.compile(r'\[(\d+)/(\d+)\]')
#: Variables of the caller's environment that would change what our Python finds.
_FOREIGN = ('PYTHONPATH', 'PYTHONHOME', 'VIRTUAL_ENV', 'PIP_TARGET', 'PIP_PREFIX', 'PIP_USER')


class SetupError(Exception):
    """Stops the set-up; the message tells the user what to do."""


def say(text: str) -> None:
    """Print one line, without buffering."""
    print(f'[mmpatch] {text}', flush=True)


@contextmanager
def step(title: str, expected: str) -> Iterator[None]:
    """Say which step begins and how long it should take; at its end, how long it took."""
    say(f'{title} (expected: {expected})')
    start = time.monotonic()
    yield
    say(f'  done in {duration(time.monotonic() - start)}')


def duration(seconds: float) -> str:
    """Write seconds the way people read them.

    >>> duration(7.4), duration(614)
    ('7 s', '10 min 14 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f'{minutes} min {rest:02d} s' if minutes else f'{rest} s'


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a child process, without variables of another Python."""
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return {**kept, 'PIP_DISABLE_PIP_VERSION_CHECK': '1', **(extra or {})}


def run(command: Sequence[str | Path], what: str, log: Path) -> None:
    """Run a command and write its output to ``log``; an error message quotes the end of the log."""
    run_counted(command, what, log, environment())


def run_counted(
    command: Sequence[str | Path], what: str, log: Path, env: Mapping[str, str]
) -> None:
    """Run a command as :func:`run` does, and count what it compiles.

    A terminal shows the count in one line, a log gets a line for each tenth.

    Raises:
        SetupError: if the command cannot be started or fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    count = _Count()
    with log.open('a', encoding='utf-8', buffering=1) as sink:
        sink.write(f'\n$ {" ".join(map(str, command))}\n')
        with subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            env=dict(env),
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    sink.write(line)
                    if counter := _COUNTER.search(line):
                        count.show(int(counter[1]), int(counter[2]))
            except BaseException:
                # The whole group: pip's compilers would go on for minutes after pip has ended.
                os.killpg(process.pid, signal.SIGTERM)
                raise
    if process.returncode:
        raise SetupError(
            f'{what} failed (exit {process.returncode}); the log is {log}:\n{_end(log)}'
        )


class _Count:
    """Shows how many files are compiled: one line on a terminal, a line for each tenth in a log."""

    def __init__(self) -> None:
        self._tenth = 0

    def show(self, done: int, total: int) -> None:
        """Show a new count."""
        if sys.stdout.isatty():
            bar = '#' * (30 * done // total)
            end = '\n' if done == total else ''
            print(f'\r[mmpatch]   |{bar:30}| {done} of {total} files', end=end, flush=True)
        elif (tenth := 10 * done // total) > self._tenth:
            self._tenth = tenth
            say(f'  {done} of {total} files')


def _end(log: Path, lines: int = 25) -> str:
    """Return the last lines of a log."""
    return '\n'.join(log.read_text(encoding='utf-8').splitlines()[-lines:])
