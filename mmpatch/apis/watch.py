"""How progress over the rows of a scene is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from rich.progress import track


class Watch(Protocol):
    """Goes through the rows of a scene and shows how far it is."""

    def __call__(self, rows: Iterator[Any], name: str, total: int, done: int) -> Iterable[Any]:
        """Go through rows.

        Args:
            rows: Those that are still to be computed.
            name: What is done, and to which scene.
            total: Number of the rows that this process computes in all.
            done: Number of those that are there already.
        """


def bar(rows: Iterator[Any], name: str, total: int, done: int) -> Iterable[Any]:
    """Show a progress bar."""
    return track(rows, name, total=total, completed=done)


def unseen(rows: Iterator[Any], name: str, total: int, done: int) -> Iterable[Any]:
    """Show nothing."""
    return rows
