"""What an unfinished prediction has done already."""

from __future__ import annotations

import errno
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmpatch.utils.files import write_atomic

from .identity import Identity, differences

Arrays = dict[str, NDArray[Any]]


class Parts:
    """A folder beside the output of a scene, with a file per row of patches.

    An interrupted run goes on with the first row that is missing.

    Args:
        out: The output. The folder has its name and ends in ``.parts``.
        identity: What the parts depend on, see :func:`mmpatch.apis.identity.with_image`.
        rows: Number of rows that the scene has.

    Raises:
        ValueError: If the folder holds parts that depend on something else.

    Attributes:
        folder: The folder.
    """

    def __init__(self, out: Path, identity: Identity, rows: int) -> None:
        self.folder = folder_of(out)
        self.rows = rows
        note = self.folder / 'made_from.json'
        if note.is_file():
            different = differences(json.loads(note.read_text()), identity)
            if different:
                raise ValueError(
                    f'{self.folder} holds rows of an interrupted run with another {different}: '
                    f'remove the folder to start anew, or write to another file than {out}'
                )
        else:
            with self.kept_if_full():
                write_atomic(note, json.dumps(identity).encode())

    @property
    def done(self) -> int:
        """Number of rows that are there."""
        return sum(self.has(row) for row in range(self.rows))

    def has(self, name: str | int) -> bool:
        """Whether a part is there."""
        return (self.folder / f'{name}.npz').is_file()

    def save(self, name: str | int, **arrays: NDArray[Any]) -> None:
        """Write a part; it is there whole or not at all.

        Raises:
            OSError: If the disk is full; other parts stay.
        """
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        with self.kept_if_full():
            write_atomic(self.folder / f'{name}.npz', buffer.getvalue())

    def load(self, name: str | int, *keys: str) -> Arrays:
        """Arrays of a part by name; all of them if no names are given."""
        with np.load(self.folder / f'{name}.npz') as found:
            return {key: found[key] for key in keys or found.files}

    def remove(self) -> None:
        """Remove the folder, once the output is there."""
        shutil.rmtree(self.folder)

    def remove_if_empty(self) -> None:
        """Remove the folder if nothing was predicted, so that a repaired scene is not refused."""
        if not any(self.folder.glob('*.npz')):
            self.remove()

    @contextmanager
    def kept_if_full(self) -> Iterator[None]:
        """Say what stays and what to do if the disk is full.

        Raises:
            OSError: If it is.
        """
        try:
            yield
        except Exception as error:
            if getattr(error, 'errno', None) != errno.ENOSPC and not _tells_of_full_disk(error):
                raise
            raise OSError(
                errno.ENOSPC,
                f'the disk is full: {self.done} of {self.rows} rows are kept in {self.folder}; make '
                'room and run the same command again',
            ) from error


def missing(parts: Any, rows: range | None) -> range:
    """Rows that are still to be computed, from the first that is missing on.

    Args:
        parts: :class:`Parts`, or :class:`mmpatch.apis.parts_in_memory.PartsInMemory`.
        rows: The rows that this process computes; None: all.
    """
    rows = range(parts.rows) if rows is None else rows
    first = rows.start
    while first < rows.stop and parts.has(first):
        first += 1
    return range(first, rows.stop)


def folder_of(out: Path) -> Path:
    """The folder of the parts of an output."""
    return out.with_name(f'{out.name}.parts')


def _tells_of_full_disk(error: Exception) -> bool:
    """Whether an error of GDAL or SQLite, which have no number for it, is about a full disk."""
    text = f'{error} {error.__cause__ or ""}'
    return not isinstance(error, (ValueError, TypeError)) and any(
        words in text for words in ('space', 'is full')
    )
