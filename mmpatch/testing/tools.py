"""Command line tools as modules."""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing import get_context
from pathlib import Path
from traceback import print_exc
from types import ModuleType

from mmengine.utils import ManagerMixin

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def load_tool(name: str) -> ModuleType:
    """Import a command line tool of the checkout anew.

    Args:
        name: Its path in ``tools`` without the ending, such as ``'dataset_converters/panda'``.
    """
    spec = importlib.util.spec_from_file_location(f'tool_{Path(name).name}', TOOLS / f'{name}.py')
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # functions travel to worker processes by its name
    spec.loader.exec_module(module)
    return module


def run_forked(tool: str, *arguments: str | Path, log: Path | None = None) -> float:
    """Stand-in for :func:`mmpatch.comparison.run_tool` that does not import everything anew.

    Args:
        tool: Its path in ``tools``.
        *arguments: Of its command line.
        log: File that what it prints is added to.

    Returns:
        Nothing measured: 0.

    Raises:
        RuntimeError: If the tool fails; with what it printed.
    """
    out = Path(os.devnull) if log is None else log
    argv = [tool, *map(str, arguments)]
    process = get_context('fork').Process(target=_run_tool, args=(argv, out))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f'{" ".join(argv)} ended with {process.exitcode}:\n{out.read_text()}')
    return 0.0


def _run_tool(argv: list[str], out: Path) -> None:
    """Run a tool in this process, with its output in a file, and end the process."""
    sys.argv = argv
    _forget_instances(ManagerMixin)
    failed = False
    with out.open('a') as stream, redirect_stdout(stream), redirect_stderr(stream):
        try:
            load_tool(argv[0].removesuffix('.py')).main()
        except BaseException:
            print_exc(file=stream)
            failed = True
    os._exit(failed)  # Python's own end of a process that a thread forked is an error


def _forget_instances(kind: type[ManagerMixin]) -> None:
    """Begin as a process that was started: without the loggers and visualizers of earlier runs.

    mmengine draws with the visualizer whose name it met last for the first time, so one of another
    run would be asked.
    """
    kind._instance_dict.clear()
    for derived in kind.__subclasses__():
        _forget_instances(derived)
