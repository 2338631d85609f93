"""Comparisons that belong together: the tables of the paper, and the bundled data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .bundled_suites import BUNDLED_SUITES
from .paper_suites import PAPER_SUITES
from .places import workshop
from .row import Row

#: The rows of each suite.
SUITES: dict[str, tuple[Row, ...]] = BUNDLED_SUITES | PAPER_SUITES


def suite_rows(name: str) -> list[Row]:
    """The rows of a suite, with the files of their configs.

    Args:
        name: Of the suite.

    Raises:
        ValueError: If there is no such suite.
    """
    if name not in SUITES:
        raise ValueError(f'no suite {name!r}; there are {", ".join(SUITES)}')
    return [_with_file(row) for row in SUITES[name]]


def find_row(given: str) -> Row:
    """The row that a user means.

    Args:
        given: A config's file, or the name of a row of any suite.

    Raises:
        ValueError: If there is neither.
    """
    if Path(given).is_file():
        return Row(Path(given))
    for row in (row for rows in SUITES.values() for row in rows):
        if row.name == given:
            return _with_file(row)
    raise ValueError(
        f'no config at {given}, and no row of that name: give the path of a config, or a name that '
        '`tools/compare.py --list` prints'
    )


def list_rows(rows: Sequence[Row]) -> str:
    """The names of rows, each above the command that trains the row alone."""
    return '\n'.join(f'# {row.name}\n{row.command()}' for row in rows)


def _with_file(row: Row) -> Row:
    """A row of a suite whose config is a path."""
    return Row(workshop() / 'configs' / f'{row.config}.py', row.overrides, row.variant)
