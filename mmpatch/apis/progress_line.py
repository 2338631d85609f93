"""Progress over many scenes, in one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.markup import escape
from rich.progress import Progress


class ProgressLine:
    """Shows which scene is being predicted, and how far it is.

    Used as a context manager, and as a :class:`mmpatch.apis.watch.Watch` for the rows of a scene.

    Args:
        scenes: Number of scenes.
        shown: Whether anything is shown.
    """

    def __init__(self, scenes: int, shown: bool = True) -> None:
        self.scenes = scenes
        self._scene = 0
        self._progress = Progress(disable=not shown)
        self._task = self._progress.add_task('', total=None)

    def __enter__(self) -> ProgressLine:
        """Start to show."""
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave the line as it is."""
        self._progress.stop()

    def next_scene(self) -> None:
        """Count a scene."""
        self._scene += 1

    def __call__(self, rows: Iterator[Any], name: str, total: int, done: int) -> Iterable[Any]:
        """Go through the rows of a scene."""
        text = escape(f'{self._scene}/{self.scenes} {name}')
        self._progress.reset(self._task, total=total, completed=done, description=text)
        for row in rows:
            yield row
            self._progress.advance(self._task)
