"""Parts of a prediction that nobody resumes."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .parts import Arrays


class PartsInMemory:
    """What :class:`mmpatch.apis.parts.Parts` offers, without a folder.

    Args:
        rows: Number of rows that the scene has.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._kept: dict[str | int, Arrays] = {}

    def has(self, name: str | int) -> bool:
        """Whether a part is there."""
        return name in self._kept

    def save(self, name: str | int, **arrays: NDArray[Any]) -> None:
        """Keep a part."""
        self._kept[name] = arrays

    def load(self, name: str | int, *keys: str) -> Arrays:
        """Arrays of a part by name; all of them if no names are given."""
        found = self._kept[name]
        return {key: found[key] for key in keys or found}
