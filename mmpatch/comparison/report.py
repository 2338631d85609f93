"""Tables of training runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from .runs import Run


def table(runs: Sequence[Run], metrics: Sequence[str]) -> str:
    """A table in Markdown, aligned for the terminal.

    Args:
        runs: The rows.
        metrics: Names of the metrics to show; their common prefix is left out of the head.
    """
    rows = _rows(runs, metrics)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        '| ' + ' | '.join(text.ljust(width) for text, width in zip(row, widths)) + ' |'
        for row in rows
    ]
    return '\n'.join([lines[0], '|' + '|'.join('-' * (w + 2) for w in widths) + '|', *lines[1:]])


def to_csv(runs: Sequence[Run], metrics: Sequence[str]) -> str:
    """The table as CSV."""
    text = io.StringIO()
    csv.writer(text).writerows(_rows(runs, metrics))
    return text.getvalue()


def _rows(runs: Sequence[Run], metrics: Sequence[str]) -> list[list[str]]:
    head = [name.split('/', 1)[-1] for name in metrics]
    rows = [
        ['method', *head, 'steps', 's / step', 'training [min]', 'peak [GiB]', 'above idle [GiB]']
    ]
    for run in runs:
        found = [run.metrics.get(name) for name in metrics]
        rows.append(
            [
                run.name,
                *('' if value is None else f'{value:.4g}' for value in found),
                str(run.steps),
                f'{run.seconds / run.steps:.2f}' if run.steps else '',
                f'{run.seconds / 60:.1f}',
                f'{run.peak:.2f}',
                f'{run.peak - run.idle:.2f}' if run.idle else '',
            ]
        )
    return rows
