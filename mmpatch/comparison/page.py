"""One self-contained HTML page of a comparison: table, plot, and the same images by every method."""

from __future__ import annotations

import base64
import html
import io
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

import torch
from matplotlib.figure import Figure
from PIL import Image

from mmpatch.version import __version__

from .report import cells, failures, mean_metric
from .runs import Run

#: Images that are shown of each method at most.
MAX_IMAGES = 3
#: Pictures are reduced to this width [px]; a click shows all of it.
WIDTH = 1200
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;color:#1d1d1f;background:#fff;margin:2rem auto;max-width:1500px;padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2rem 0 .6rem}p{margin:.3rem 0;color:#555}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:13px}td,th{padding:.35rem .45rem;text-align:right;white-space:nowrap}
td:first-child,th:first-child{text-align:left}
th{white-space:normal;vertical-align:bottom;border-bottom:2px solid #333}td{border-bottom:1px solid #ddd}
tr.best td{background:#eef6ee}.failure{color:#a00}
td.failure{text-align:left;white-space:normal}img.plot{max-width:100%}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(430px,1fr));gap:1rem}
figure{margin:0}figure img{width:100%;cursor:zoom-in;border:1px solid #ddd}figcaption{font-weight:600}
figure.wide{grid-column:1/-1}figure.wide img{cursor:zoom-out}
"""
SCRIPT = "document.querySelectorAll('figure').forEach(f=>f.onclick=()=>f.classList.toggle('wide'))"


def page(
    title: str,
    runs: Sequence[Run],
    metrics: Sequence[str],
    drawn: Mapping[str, Path],
    settings: str,
) -> str:
    """The page as HTML; it needs no other file.

    Args:
        title: Of the page.
        runs: As in :func:`mmpatch.comparison.table`.
        metrics: To show; the first one is plotted over memory.
        drawn: Folder of the test's pictures, by the name of the method.
        settings: What all runs had in common, a sentence.
    """
    machine = f'{platform.platform()}, {torch.get_num_threads()} threads, torch {torch.__version__}'
    if torch.cuda.is_available():
        machine = f'{torch.cuda.get_device_name()}, {machine}'
    parts = [
        f'<h1>{html.escape(title)}</h1>',
        f'<p>{html.escape(settings)}</p>',
        f'<p>{html.escape(machine)}; mmpatch {__version__}; {datetime.now():%Y-%m-%d %H:%M}</p>',
        f'<h2>Results</h2>{_table(runs, metrics)}',
    ]
    if metrics and any(metrics[0] in run.metrics for run in runs):
        stream = io.BytesIO()
        plot_memory(runs, metrics[0]).savefig(stream, format='png', dpi=110)
        parts.append('<h2>Accuracy and memory</h2>')
        parts.append(f'<img class="plot" alt="plot" src="{_as_uri(stream.getvalue(), "png")}">')
    names = shared_pictures(drawn)
    for name in names:
        parts.append(f'<h2>{html.escape(name)}</h2><div class="grid">')
        parts += [_figure(method, folder / name) for method, folder in drawn.items()]
        parts.append('</div>')
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f'<body>{"".join(parts)}<script>{SCRIPT}</script></body></html>\n'
    )


def plot_memory(runs: Sequence[Run], metric: str) -> Figure:
    """Accuracy over peak memory, one point per method; small points are its seeds."""
    figure = Figure(figsize=(9, 5.5), layout='constrained')
    axes = figure.subplots()
    names = list(dict.fromkeys(run.name for run in runs))
    for number, name in enumerate(names):
        same = [run for run in runs if run.name == name and metric in run.metrics]
        value = mean_metric(same, metric)
        if value is None:
            continue
        colour, mark = f'C{number % 10}', 'os^Dv'[number // 10 % 5]
        peaks = [run.peak for run in same]
        if len(same) > 1:
            axes.plot(peaks, [run.metrics[metric] for run in same], '.', color=colour, alpha=0.6)
        axes.plot(max(peaks), value, mark, ms=9, color=colour, label=name)
    axes.set_xscale('log')
    axes.xaxis.set_major_formatter(lambda value, _: f'{value:g}')
    axes.xaxis.set_minor_formatter(lambda value, _: f'{value:g}')
    axes.tick_params(axis='x', which='both', length=4, pad=4)
    axes.set(xlabel='peak memory of the training [GiB]', ylabel=metric.split('/', 1)[-1])
    axes.grid(alpha=0.3, which='both')
    figure.legend(loc='outside right upper', fontsize=8)
    return figure


def best_method(runs: Sequence[Run], metric: str) -> str | None:
    """The method with the highest mean of a metric (the lowest of a miss rate)."""
    means = {run.name: mean_metric([r for r in runs if r.name == run.name], metric) for run in runs}
    known = {name: value for name, value in means.items() if value is not None}
    if not known:
        return None
    choose = min if 'MR' in metric else max
    return choose(known, key=lambda name: known[name])


def shared_pictures(drawn: Mapping[str, Path]) -> list[str]:
    """Names of the first pictures that every method has drawn."""
    found = [{path.name for path in folder.glob('*.*')} for folder in drawn.values()]
    return sorted(set.intersection(*found))[:MAX_IMAGES] if found else []


def _table(runs: Sequence[Run], metrics: Sequence[str]) -> str:
    """The table; a method without any result has a row that says why, single seeds a line below."""
    head, *rows = cells(runs, metrics)
    best = best_method(runs, metrics[0]) if metrics else None
    body, notes = [_row(head, 'th')], []
    for row in rows:
        same = [run for run in runs if run.name == row[0]]
        if all(run.failure for run in same):
            why = html.escape('; '.join(dict.fromkeys(run.failure for run in same)))
            cell = f'<td class="failure" colspan="{len(head) - 1}">{why}</td>'
            body.append(f'<tr><td>{html.escape(row[0])}</td>{cell}</tr>')
            continue
        body.append(_row(row, 'td', 'best' if row[0] == best else ''))
        notes += [f'<p class="failure">{html.escape(note)}</p>' for note in failures(same)]
    return f'<div class="scroll"><table>{"".join(body)}</table></div>{"".join(notes)}'


def _row(texts: Sequence[str], tag: str, kind: str = '') -> str:
    """A row of the table."""
    inner = ''.join(f'<{tag}>{html.escape(text)}</{tag}>' for text in texts)
    return f'<tr class="{kind}">{inner}</tr>' if kind else f'<tr>{inner}</tr>'


def _figure(method: str, path: Path) -> str:
    """A method's picture, reduced; a note in its place if it cannot be read."""
    caption = html.escape(method)
    try:
        source = _reduced(path, path.stat().st_mtime_ns)
    except OSError as error:  # a table of hours of training does not fail for it
        note = f'<p class="failure">{html.escape(str(error))}</p>'
        return f'<figure><figcaption>{caption}</figcaption>{note}</figure>'
    return (
        f'<figure><figcaption>{caption}</figcaption><img alt="{caption}" src="{source}"></figure>'
    )


@cache  # the page is written after every run, while others are timed
def _reduced(path: Path, _: int) -> str:
    """A picture as part of the page, reduced to :data:`WIDTH`; anew if the file's time changes."""
    with Image.open(path) as opened:
        picture = opened.convert('RGB')
    picture.thumbnail((WIDTH, 4 * WIDTH))
    stream = io.BytesIO()
    picture.save(stream, 'JPEG', quality=82)
    return _as_uri(stream.getvalue(), 'jpeg')


def _as_uri(data: bytes, kind: str) -> str:
    """A picture as part of the page."""
    return f'data:image/{kind};base64,{base64.b64encode(data).decode()}'
