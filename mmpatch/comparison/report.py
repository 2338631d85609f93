"""Tables of training runs, for the terminal, Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from statistics import mean, stdev
from typing import Any

from .runs import Run

#: Shown if a run reports them, in this order. The prefix that a metric puts before is left out.
METRICS = (
    *('MR_R', 'MR_RS', 'MR_HO', 'MR_R+HO', 'MR_A'),
    *('AP', 'AP50', 'AP75', 'AP_s', 'AP_m', 'AP_l', 'AP_eS', 'AP_rS', 'AP_gS', 'AP_N'),
    *('image/F1', 'image/IoU', 'image/BAcc', 'pixel/IoU'),
    *('top1', 'kappa'),
)
#: A bin of size: AP, or recall of a class of masks. And what bins stand in for.
SIZE_BIN = re.compile(r'(AP|recall_.+)_[\d.]+(-[\d.]+|\+)')
#: Ends of the metrics of one class.
OF_CLASS = ('_AP50', '_IoU')
COCO_SIZES = ('AP_s', 'AP_m', 'AP_l')
#: Classes of a data set whose metrics are shown; more would hide the rest.
SHOWN_CLASSES = 4

#: LaTeX reads these as commands.
LATEX = str.maketrans({c: '\\' + c for c in '%_&#$'} | {'±': r'$\pm$'})


def columns(runs: Sequence[Run]) -> list[str]:
    """The metrics that a table shows: those of :data:`METRICS` that a run has, by bins of size, by class.

    Bins of size (``size_bins`` of the metrics) take the place of COCO's three sizes. AP50 or IoU per class
    follows where there are few classes.

    Args:
        runs: Those of the table.
    """
    found = dict.fromkeys(key for run in runs for key in run.metrics)
    tails = {key: key.split('/', 1)[-1] for key in found}
    bins = [key for key, tail in tails.items() if SIZE_BIN.fullmatch(tail)]
    wanted = [name for name in METRICS if not (bins and name in COCO_SIZES)]
    classes = [key for key in found if key.endswith(OF_CLASS)]
    shown = classes if len(classes) <= SHOWN_CLASSES else []
    return [key for name in wanted for key, tail in tails.items() if tail == name] + bins + shown


def table(runs: Sequence[Run], metrics: Sequence[str]) -> str:
    """A table in Markdown, aligned for the terminal: a row a name.

    Args:
        runs: Those with the same name are seeds of one method: metrics are given as mean and
            standard deviation over them, times as their mean, memory as their highest. What failed
            is named below the table.
        metrics: Names of the metrics to show; their common prefix is left out of the head.
    """
    rows = cells(runs, metrics)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        '| ' + ' | '.join(text.ljust(width) for text, width in zip(row, widths)) + ' |'
        for row in rows
    ]
    text = '\n'.join([lines[0], '|' + '|'.join('-' * (w + 2) for w in widths) + '|', *lines[1:]])
    return '\n\n'.join([text, *(f'- {note}' for note in failures(runs))])


def to_csv(runs: Sequence[Run], metrics: Sequence[str]) -> str:
    """The table as CSV, with a last column that says what failed."""
    head, *rows = cells(runs, metrics)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*head, 'failure'])
    for row in rows:
        writer.writerow(
            [*row, '; '.join(r.failure for r in runs if r.name == row[0] and r.failure)]
        )
    return text.getvalue()


def to_json(runs: Sequence[Run], settings: Mapping[str, Any]) -> str:
    """All that is known of each run, a line each, in six digits.

    Args:
        runs: They.
        settings: What all of them had in common.
    """
    lines = [json.dumps(_rounded(asdict(run)), ensure_ascii=False) for run in runs]
    return f'{{"settings": {json.dumps(settings)},\n"runs": [\n' + ',\n'.join(lines) + '\n]}\n'


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, float):
        return float(f'{value:.6g}') if isfinite(value) else None  # JSON knows no other
    return value


def to_latex(runs: Sequence[Run], metrics: Sequence[str]) -> str:
    """The table for LaTeX (package booktabs)."""
    rows = [[cell.translate(LATEX) for cell in row] for row in cells(runs, metrics)]
    lines = [' & '.join(row) + r' \\' for row in rows]
    return '\n'.join(
        [
            rf'\begin{{tabular}}{{l{"r" * (len(rows[0]) - 1)}}}',
            r'\toprule',
            lines[0],
            r'\midrule',
            *lines[1:],
            r'\bottomrule',
            *(f'% {note}' for note in failures(runs)),
            r'\end{tabular}',
            '',
        ]
    )


def failures(runs: Sequence[Run]) -> list[str]:
    """A sentence for each run that failed."""
    return [f'{_full_name(run)}: {run.failure}' for run in runs if run.failure]


def cells(runs: Sequence[Run], metrics: Sequence[str]) -> list[list[str]]:
    """The table's head and its rows; a name without any result has dashes."""
    rows = [
        [
            'method',
            *(name.split('/', 1)[-1] for name in metrics),
            'parameters [M]',
            'steps',
            's / step',
            'training [min]',
            's / image',
            'peak [GiB]',
            'above idle [GiB]',
        ]
    ]
    for name in dict.fromkeys(run.name for run in runs):
        done = [run for run in runs if run.name == name and not run.failure]
        if not done:
            rows.append([name, *['-'] * (len(rows[0]) - 1)])
            continue
        seconds = mean(run.seconds for run in done)
        steps = mean(run.steps for run in done)
        rows.append(
            [
                name,
                *(_mean_and_spread(done, metric) for metric in metrics),
                f'{done[0].parameters / 1e6:.1f}' if done[0].parameters else '',
                f'{steps:.0f}',
                f'{seconds / steps:.2f}' if steps else '',
                f'{seconds / 60:.1f}',
                f'{mean(run.seconds_image for run in done):.2f}' if done[0].seconds_image else '',
                f'{max(run.peak for run in done):.2f}',
                f'{max(run.peak - run.idle for run in done):.2f}' if done[0].idle else '',
            ]
        )
    return rows


def mean_metric(runs: Sequence[Run], metric: str) -> float | None:
    """A metric's mean over the runs that have it; None if none has."""
    found = _found(runs, metric)
    return mean(found) if found else None


def _found(runs: Sequence[Run], metric: str) -> list[float]:
    """A metric of the runs that have it; JSON holds None for an infinite one."""
    values = (run.metrics.get(metric) for run in runs)
    return [value for value in values if value is not None]


def _mean_and_spread(runs: Sequence[Run], metric: str) -> str:
    """A metric's mean over seeds, and its standard deviation if there are several.

    Fractions have three decimals, percentages one.
    """
    found = _found(runs, metric)
    if not found:
        return ''
    decimals = 3 if max(map(abs, found)) <= 1 else 1
    spread = f' ± {stdev(found):.{decimals}f}' if len(found) > 1 else ''
    return f'{mean(found):.{decimals}f}{spread}'


def _full_name(run: Run) -> str:
    """A run's name with its seed."""
    return run.name if run.seed is None else f'{run.name} (seed {run.seed})'
