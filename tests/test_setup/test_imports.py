"""The library does not import its workshop: what compares, measures and tests it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / 'mmpatch'
WORKSHOP = ('benchmark', 'comparison', 'testing')
LIBRARY = sorted(
    path.parent.name for path in PACKAGE.glob('*/__init__.py') if path.parent.name not in WORKSHOP
)


def imports(path: Path) -> Iterator[str]:
    """Absolute names of all modules that a file imports, inside of functions too."""
    package = ('mmpatch', *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = '.'.join([*above, *filter(None, [node.module])])
            yield from (f'{module}.{alias.name}' for alias in node.names)


def test_the_library_is_all_but_the_workshop() -> None:
    assert {'patching', 'models', 'engine', 'datasets', 'evaluation'} <= set(LIBRARY)
    assert all((PACKAGE / name / '__init__.py').is_file() for name in WORKSHOP)


@pytest.mark.parametrize('name', LIBRARY)
def test_no_import_of_the_workshop(name: str) -> None:
    found = {
        f'{path.relative_to(PACKAGE)} imports {module}'
        for path in (PACKAGE / name).rglob('*.py')
        for module in imports(path)
        if module.startswith(tuple(f'mmpatch.{it}' for it in WORKSHOP))
    }
    assert not found


def test_imports_are_found() -> None:
    seen = set(imports(PACKAGE / 'comparison' / 'runs.py'))
    assert {'json', 'mmpatch.utils.checkpoints.load_checkpoint'} <= seen
    assert 'mmpatch.comparison.processes.run_tool' in seen
