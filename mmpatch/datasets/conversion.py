"""A note beside each converted data set: the settings that made it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmpatch.utils.files import write_atomic

#: File that holds the settings.
NOTE = 'made_with.json'


def claim_output(
    folder: Path, settings: Mapping[str, Any], written: Sequence[str] = ('train', 'test')
) -> None:
    """Note the settings of a converted data set, or compare them with the note of an earlier call.

    Converters keep existing files, so that an interrupted call can go on. With other settings this would
    leave old images under new labels, or one image in two splits.

    Args:
        folder: Folder of the data set.
        settings: All that the files depend on, as JSON can hold it.
        written: Subfolders that the converter fills; ``'.'`` for the folder itself.

    Raises:
        ValueError: If the files there were made with other settings, or it is unknown with which.
    """
    note = folder / NOTE
    wanted = json.loads(json.dumps(dict(settings)))
    advice = f'remove {folder} to make the set anew, or write to another folder with --out'
    if note.is_file():
        found = json.loads(note.read_text(encoding='utf-8'))
        different = sorted(k for k in {*found, *wanted} if found.get(k) != wanted.get(k))
        if different:
            before, now = (
                ', '.join(f'{key}={values.get(key)!r}' for key in different)
                for values in (found, wanted)
            )
            raise ValueError(f'{folder} was made with {before}, now asked for {now}: {advice}')
        return
    if any(path.is_file() for name in written for path in (folder / name).rglob('*')):
        raise ValueError(
            f'{folder} holds files, but no {NOTE} says with which settings they were made: {advice}'
        )
    write_atomic(note, json.dumps(wanted, indent=1).encode())


def digest(parts: Iterable[Any]) -> str:
    """A short hash of parts that JSON can hold, for notes: 16 hex digits."""
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()[:16]
