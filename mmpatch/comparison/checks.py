"""Whether configs can stand in one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS

import mmpatch.datasets  # noqa: F401  registers the data sets, those of the hosts too

from .row import Row


def check_comparable(rows: Sequence[Row]) -> None:
    """Check that rows solve the same task with the same classes.

    Args:
        rows: Those of one table.

    Raises:
        ValueError: Names the first row that differs from the first one, and how.
    """
    loaded = [row.load() for row in rows]
    tasks = [task_of(cfg) for cfg in loaded]
    classes = [classes_of(cfg) for cfg in loaded]
    for row, task, names in zip(rows, tasks, classes):
        if task != tasks[0]:
            raise ValueError(
                f'{row.name} is a config of {task}, {rows[0].name} one of {tasks[0]}: their '
                'results cannot stand in one table; compare them in two'
            )
        if names is not None and classes[0] is not None and names != classes[0]:
            raise ValueError(
                f'{row.name} is tested on the classes {_short(names)}, {rows[0].name} on '
                f'{_short(classes[0])}: their results cannot be compared; give all the same data set'
            )


def task_of(cfg: Config) -> str:
    """``'detection'``, ``'segmentation'`` or ``'classification'``, by the model's head."""
    for key, task in (('bbox_head', 'detection'), ('decode_head', 'segmentation')):
        if key in cfg.model:
            return task
    return 'detection' if 'roi_head' in cfg.model else 'classification'


def classes_of(cfg: Config) -> tuple[str, ...] | None:
    """The classes that a config is tested on; None if they are known only with the data."""
    dataset: Any = cfg.test_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    known = dict(dataset.get('metainfo') or {})
    if 'classes' not in known:
        scoped = dataset.type if '.' in dataset.type else f'{cfg.default_scope}.{dataset.type}'
        known = getattr(DATASETS.get(scoped), 'METAINFO', {})
    names = known.get('classes')
    return None if names is None else tuple(names)


def _short(names: Sequence[str]) -> str:
    """A list of names for a message."""
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return f'{len(names)} ({", ".join(names[:3])}{more})'
