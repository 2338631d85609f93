"""Messages of the set-up, and the commands that it runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
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
    """Run a command as :func:`run` does, and report each tenth of a compilation.

    Raises:
        SetupError: if the command cannot be started or fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    said = 0
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
                    counter = _COUNTER.search(line)
                    if counter and (tenth := 10 * int(counter[1]) // int(counter[2])) > said:
                        said = tenth
                        say(f'  {counter[1]} of {counter[2]} files')
            except BaseException:
                # The whole group: pip's compilers would go on for minutes after pip has ended.
                os.killpg(process.pid, signal.SIGTERM)
                raise
    if process.returncode:
        raise SetupError(
            f'{what} failed (exit {process.returncode}); the log is {log}:\n{_end(log)}'
        )


def _end(log: Path, lines: int = 25) -> str:
    """Return the last lines of a log."""
    return '\n'.join(log.read_text(encoding='utf-8').splitlines()[-lines:])
