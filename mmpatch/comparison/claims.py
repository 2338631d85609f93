"""Folders that this program made. It writes into no other, and deletes no other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmpatch.utils.files import write_atomic

#: File in which a folder's settings are noted, and by which the folder is known again.
NOTE = 'settings.json'


def is_claimed(folder: Path) -> bool:
    """Whether a folder was made by :func:`claim`."""
    return (folder / NOTE).is_file()


def claim(folder: Path, settings: Mapping[str, Any]) -> None:
    """Take a folder that is new or empty, or that was taken with the same settings before.

    Args:
        folder: It.
        settings: What all that is written there has in common; JSON values.

    Raises:
        ValueError: If the folder holds files of somebody else, or was taken with other settings.
    """
    if is_claimed(folder):
        before = json.loads((folder / NOTE).read_text())
        for name, value in settings.items():
            if before.get(name) != value:
                raise ValueError(
                    f'what is in {folder} was made with {name}={before.get(name)}, this would be '
                    f'{name}={value}: their results cannot be mixed; choose another folder'
                )
        return
    others = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if others:
        raise ValueError(
            f'{folder} holds files that are not of a comparison ({", ".join(others[:3])}): '
            'choose a folder that is new or empty'
        )
    write_atomic(folder / NOTE, json.dumps(dict(settings), indent=1).encode())


def discard(folder: Path) -> None:
    """Delete a folder if it was made by :func:`claim`; any other stays as it is."""
    if is_claimed(folder):
        shutil.rmtree(folder)
