"""Tables of training runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from statistics import mean, stdev

from .runs import Run


def table(runs: Sequence[Run], metrics: Sequence[str]) -> str:
    """A table in Markdown, aligned for the terminal: a row a name.

    Args:
        runs: Those with the same name are seeds of one method: metrics are given as mean and
            standard deviation over them, times as their mean, memory as their highest.
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
    for name in dict.fromkeys(run.name for run in runs):
        same = [run for run in runs if run.name == name]
        seconds = mean(run.seconds for run in same)
        steps = mean(run.steps for run in same)
        rows.append(
            [
                name,
                *(_mean_and_spread(same, metric) for metric in metrics),
                f'{steps:.0f}',
                f'{seconds / steps:.2f}' if steps else '',
                f'{seconds / 60:.1f}',
                f'{max(run.peak for run in same):.2f}',
                f'{max(run.peak - run.idle for run in same):.2f}' if same[0].idle else '',
            ]
        )
    return rows


def _mean_and_spread(runs: Sequence[Run], metric: str) -> str:
    """A metric's mean over seeds, and its standard deviation if there are several."""
    found = [run.metrics[metric] for run in runs if metric in run.metrics]
    if not found:
        return ''
    spread = f' ± {stdev(found):.2g}' if len(found) > 1 else ''
    return f'{mean(found):.4g}{spread}'
