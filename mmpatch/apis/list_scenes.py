"""Which scenes a command line means."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmpatch.datasets.raster_image import is_gdal_name

#: Files of a folder that are scenes.
SUFFIXES = frozenset(
    ('.tif', '.tiff', '.png', '.jpg', '.jpeg', '.jp2', '.bmp', '.webp', '.vrt', '.img', '.svs')
)
#: Ends of files that prediction writes; they are no scenes if they lie beside them.
WRITTEN = ('.labels.tif', '.labels.png', '.overlay.png', '.relevance.tif')


def list_scenes(arguments: Sequence[str]) -> dict[str, str]:
    """Find scenes.

    Args:
        arguments: Files, folders, glob patterns, text files with a scene per line, and names that
            only GDAL understands, such as ``/vsicurl/https://...``.

    Returns:
        The path of each scene by the name that its results get, in the order of the arguments.
        Scenes of one name are told apart by their folders.

    Raises:
        ValueError: If a folder or a pattern holds no scene.
        FileNotFoundError: If a text file is missing.
    """
    found = dict.fromkeys(path for argument in arguments for path in _scenes_of(argument))
    stems = {path: _stem(path) for path in found}
    often = Counter(stems.values())
    alike = [path for path, stem in stems.items() if often[stem] > 1]
    names = stems | _with_folders(alike)
    if len(set(names.values())) < len(names):  # files of one folder with different endings
        names |= {path: names[path] + Path(path).suffix.replace('.', '_') for path in alike}
    return {name: path for path, name in names.items()}


def _scenes_of(argument: str) -> Iterator[str]:
    """The scenes that one argument means."""
    if os.path.isdir(argument):
        yield from _some(
            (str(p) for p in sorted(Path(argument).iterdir()) if _is_scene(p)),
            f'the folder {argument} holds no file with one of the endings {sorted(SUFFIXES)}',
        )
    elif argument.lower().endswith('.txt'):
        yield from _lines(Path(argument))
    elif not is_gdal_name(argument) and not os.path.exists(argument) and glob.has_magic(argument):
        yield from _some(
            sorted(glob.glob(argument, recursive=True)), f'no file matches the pattern {argument}'
        )
    else:
        yield argument


def _some(paths: Iterator[str] | list[str], message: str) -> list[str]:
    found = list(paths)
    if not found:
        raise ValueError(f'{message}: check the path, or name files')
    return found


def _is_scene(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.endswith(WRITTEN)


def _lines(path: Path) -> Iterator[str]:
    """The scenes that a text file lists; paths may start in its folder."""
    for line in path.read_text(encoding='utf-8').splitlines():
        line = line.strip()
        if not line or line.startswith('#'):
            continue
        beside = path.parent / line
        exists = is_gdal_name(line) or os.path.exists(line)
        yield from _scenes_of(str(beside) if not exists and beside.exists() else line)


def _stem(path: str) -> str:
    return ''.join(c if c.isalnum() or c in '-_.' else '_' for c in Path(path).stem)


def _with_folders(paths: Sequence[str]) -> dict[str, str]:
    """Names of scenes that begin with the folders below the one that all share."""
    folders = [os.path.dirname(os.path.abspath(path)) for path in paths]
    shared = os.path.commonpath(folders) if folders else ''
    below = [os.path.relpath(folder, shared) for folder in folders]
    return {
        path: '_'.join([*(part for part in Path(folder).parts if part != '.'), _stem(path)])
        for path, folder in zip(paths, below)
    }
