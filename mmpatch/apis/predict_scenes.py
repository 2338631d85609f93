"""Prediction of many scenes, one after the other."""

from __future__ import annotations

import csv
import errno
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from mmpatch.utils.files import write_atomic

from .output_options import OutputOptions
from .patch_predictor import PatchPredictor
from .progress_line import ProgressLine
from .scene_result import SceneResult
from .watch import Watch, unseen
from .write_scene import write_scene

#: Name of the table of the classes of all scenes, and its columns.
TABLE, COLUMNS = 'classes.csv', ('scene', 'label', 'class', 'score')


def predict_scenes(
    predictor: PatchPredictor,
    scenes: Mapping[str, str],
    folder: str | Path,
    options: OutputOptions | None = None,
    show_progress: bool = True,
) -> list[SceneResult]:
    """Predict scenes and write their results.

    A scene that fails is reported in its result, and the others go on. Called again, it goes on where
    it was interrupted, and leaves out what is done. The table of classes is for
    :func:`write_table`.

    Args:
        predictor: The model.
        scenes: Paths by the names that the files of results get, see
            :func:`mmpatch.apis.list_scenes.list_scenes`.
        folder: Where results go.
        options: Which files to write.
        show_progress: Show a progress line.

    Returns:
        A result per scene.

    Raises:
        ValueError: If the model cannot give what the options ask for.
        OSError: If the disk is full; finished scenes and rows stay.
    """
    options = options or OutputOptions()
    options.check(predictor.task)
    results = []
    with ProgressLine(len(scenes), show_progress) as line:
        for name, path in scenes.items():
            line.next_scene()
            results.append(attempt(predictor, path, name, Path(folder), options, line))
    return results


def attempt(
    predictor: PatchPredictor,
    path: str,
    name: str,
    folder: Path,
    options: OutputOptions,
    watch: Watch = unseen,
) -> SceneResult:
    """:func:`mmpatch.apis.write_scene.write_scene`, where a failure is a result.

    Raises:
        OSError: If the disk is full, as all other scenes would fail, too.
    """
    try:
        return write_scene(predictor, path, name, folder, options, watch)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        kind = '' if isinstance(error, (OSError, ValueError)) else f'{type(error).__name__}: '
        return SceneResult(path, 'failed', f'{kind}{error}')


def write_table(folder: Path, results: Iterable[SceneResult]) -> Path | None:
    """Write the classes of scenes as CSV; nothing if there are none.

    Args:
        folder: Where the table goes, as ``classes.csv``.
        results: Of the scenes.
    """
    rows = [result.fields for result in results if result.fields]
    if not rows:
        return None
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator='\n')
    table.writeheader()
    table.writerows(rows)
    write_atomic(folder / TABLE, text.getvalue().encode())
    return folder / TABLE
