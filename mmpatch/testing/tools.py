"""Command line tools as modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

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
