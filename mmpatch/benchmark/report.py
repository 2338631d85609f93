"""Tables and a plot of what the benchmark measured."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from mmpatch.utils.memory import format_size

from .cell import METHODS, Result
from .models import LABELS

HEAD = (
    'model',
    'method',
    'image [px]',
    'peak [GiB]',
    'above idle [GiB]',
    'image and Z [GiB]',
    's / step',
    'images / s',
    'TFLOP / step',
)

#: Memory figures to compare with [GiB], for FCOS-R50 at 4096 x 4096 and batch 1 unless said.
REFERENCES = (
    ('full image, computed', 21.2),
    ('full image, checkpointing, computed', 13.6),
    ('the paper, batch <= 4', 18.6),
)
COLOURS = {
    'full': '#c0392b',
    'checkpointed': '#e67e22',
    'downsampled': '#7f8c8d',
    'in_memory': '#8e44ad',
    'sampled': '#2980b9',
    'exact': '#27ae60',
}
#: Markers and dashes of the models.
STYLES = {
    'fcos-r18': 'o--',
    'fcos-r34': '^:',
    'fcos-r50': 's-',
    'unet': 'D-.',
    'mobilenetv2': 'v-',
}


def rows_of(results: Sequence[Result]) -> list[list[str]]:
    """The texts of the table: its head, then rows sorted by model, side and method."""
    order = list(METHODS)
    rows = [list(HEAD)]
    for result in sorted(
        results,
        key=lambda r: (
            *(r.cell.model, r.cell.side, order.index(r.cell.method)),
            *(r.cell.graphs, r.cell.memory_budget, r.cell.ranks, r.cell.compile),
        ),
    ):
        cell = result.cell
        name = METHODS[cell.method]
        if cell.method == 'downsampled':
            name += f' to {cell.small_side}'
        if cell.graphs:
            name += f', {cell.graphs} graphs'
        if cell.memory_budget:
            name += f', budget {format_size(cell.memory_budget)}'
        if result.plan:
            name += f': {result.plan}'
        if cell.ranks > 1:
            name += f', {cell.ranks} processes'
        if cell.compile:
            name += ', compiled'
        size = f'{cell.side} x {cell.rows * cell.patch_size or cell.side}'
        start = [LABELS[cell.model], name, size]
        if result.seconds is None:
            need = f', needs {result.need / 2**30:.1f}' if result.need else ''
            rows.append([*start, f'out of memory{need}', *[''] * (len(HEAD) - len(start) - 1)])
            continue
        rows.append(
            [
                *start,
                f'{result.peak / 2**30:.2f}',
                f'{(result.peak - result.idle) / 2**30:.2f}',
                f'{result.kept / 2**30:.2f}' if result.kept else '',
                f'{result.seconds:.2f}',
                f'{1 / result.seconds:.3f}',
                f'{result.operations / 1e12:.2f}' if result.operations else '',
            ]
        )
    counted = any(result.operations for result in results)
    return rows if counted else [row[:-1] for row in rows]


def table(results: Sequence[Result]) -> str:
    """The table in Markdown."""
    return aligned(rows_of(results))


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, head first, whose columns are as wide as their texts."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        '| ' + ' | '.join(text.ljust(width) for text, width in zip(row, widths)) + ' |'
        for row in rows
    ]
    return '\n'.join([lines[0], '|' + '|'.join('-' * (w + 2) for w in widths) + '|', *lines[1:]])


def to_csv(results: Sequence[Result]) -> str:
    """The table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows(rows_of(results))
    return text.getvalue()


def plot(results: Sequence[Result], out: Path) -> None:
    """Draw memory and time of a step against the side of the image.

    Args:
        results: What was measured; what did not run appears as a cross at its computed need.
        out: Picture to write.
    """
    figure = Figure(figsize=(11, 5.6), layout='constrained')
    memory, time = figure.subplots(1, 2)
    sides = sorted({r.cell.side for r in results})
    results = [
        r for r in results if not (r.cell.graphs or r.cell.memory_budget)
    ]  # one point a method and side
    models = sorted({r.cell.model for r in results})
    methods = [m for m in METHODS if any(r.cell.method == m for r in results)]
    for model, method in itertools.product(models, methods):
        line = sorted(
            (r for r in results if (r.cell.model, r.cell.method) == (model, method)),
            key=lambda r: r.cell.side,
        )
        ran = [r for r in line if r.seconds is not None]
        style = _style(model, COLOURS[method])
        xs = [r.cell.side for r in ran]
        memory.plot(xs, [r.peak / 2**30 for r in ran], **style)
        time.plot(xs, [r.seconds for r in ran], **style)
        failed = [r for r in line if r.seconds is None and r.need]
        memory.scatter(
            [r.cell.side for r in failed],
            [r.need / 2**30 for r in failed],
            color=COLOURS[method],
            marker='x',
            s=45,
        )
    for name, value in REFERENCES if 'fcos-r50' in models else ():
        memory.axhline(value, color='#999999', linewidth=0.8, linestyle=':')
        memory.text(sides[0], value * 1.03, name, fontsize=7, color='#666666')
    for axes, label in ((memory, 'peak memory [GiB]'), (time, 'time of a step [s]')):
        axes.set_xscale('log', base=2)
        if axes is memory or any(r.seconds is not None for r in results):
            axes.set_yscale('log')
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f'{y:g}'))
        axes.xaxis.set_major_locator(FixedLocator(sides))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f'{x:.0f}'))
        axes.set_xlabel('side of the image [px]')
        axes.set_ylabel(label)
        axes.grid(alpha=0.25)
        for edge in ('top', 'right'):
            axes.spines[edge].set_visible(False)
    entries = [Line2D([], [], color=COLOURS[m], linewidth=3, label=METHODS[m]) for m in methods]
    entries += [Line2D([], [], label=LABELS[m], **_style(m, '#444444')) for m in models]
    if any(r.seconds is None for r in results):
        text = 'did not run, computed need'
        entries.append(Line2D([], [], color='#444444', linestyle='', marker='x', label=text))
    figure.legend(handles=entries, loc='outside lower center', ncols=4, fontsize=8, frameon=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=130)


def _style(model: str, colour: str) -> dict[str, Any]:
    marker, dashes = STYLES[model][0], STYLES[model][1:]
    return dict(color=colour, linestyle=dashes, marker=marker, markersize=5)
