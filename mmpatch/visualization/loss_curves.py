"""Curves of the losses and the learning rate out of mmengine's logs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

SCALARS = 'vis_data/scalars.json'
#: Smoothing averages over this share of a curve.
SMOOTHED_SHARE = 0.05
LINE_STYLES = ('-', '--', ':', '-.')


@dataclass(frozen=True)
class TrainLog:
    """The log of one training.

    Attributes:
        name: Name of the run, for the legend.
        rows: Logged values by name, in the order of ``step``.
    """

    name: str
    rows: Sequence[dict[str, Any]]

    def keys(self) -> list[str]:
        """Names of the losses, the total first."""
        names = {key for row in self.rows for key in row if key.startswith('loss')}
        return sorted(names, key=lambda name: (name != 'loss', name))

    def curve(self, key: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Steps and values of one name, where it was logged; two (n,) arrays."""
        points = [(row['step'], row[key]) for row in self.rows if key in row]
        table = np.array(points, dtype=float).reshape(-1, 2)
        return table[:, 0], table[:, 1]


def plot_losses(
    work_dirs: Sequence[str | Path], out: str | Path, keys: Sequence[str] | None = None
) -> Path:
    """Plot losses over iterations, and the learning rate below; several runs on top of each other.

    Args:
        work_dirs: Work dirs of trainings, folders of one launch in them, or their JSON files.
        out: Picture to write, such as ``losses.png``; its folder is made.
        keys: Names of what to plot, such as ``loss_cls``. All losses of a single run by default,
            the total loss of several.

    Returns:
        ``out``.

    Raises:
        FileNotFoundError: If a path holds no log.
        ValueError: If there is nothing to plot, or a log is damaged.
    """
    if not work_dirs:
        raise ValueError('no work dir given: there is nothing to plot')
    logs = read_logs(work_dirs)
    if keys is None:
        keys = logs[0].keys() if len(logs) == 1 else ['loss']
    for key in keys:
        if not any(len(log.curve(key)[0]) for log in logs):
            known = ', '.join(sorted({name for log in logs for row in log.rows for name in row}))
            raise ValueError(f'{key!r} was never logged; there is: {known}')
    figure = _figure(logs, keys)
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=130)
    return out


def _figure(logs: Sequence[TrainLog], keys: Sequence[str]) -> Figure:
    """Draw losses above and the learning rate below; a colour is one loss of a run, or one of several runs."""
    figure = Figure(figsize=(10, 6.5), layout='constrained')
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(4, 1))
    several = len(logs) > 1
    for number, log in enumerate(logs):
        own = f'C{number % 10}' if several else 'black'
        lower.plot(*log.curve('lr'), LINE_STYLES[number % len(LINE_STYLES)], color=own)
        for place, key in enumerate(keys):
            colour = own if several else f'C{place % 10}'
            style = LINE_STYLES[place % len(LINE_STYLES)] if several else '-'
            steps, values = log.curve(key)
            if len(steps):
                name = f'{log.name}: {key}' if several else key
                upper.plot(steps, values, color=colour, linewidth=0.7, alpha=0.35)
                upper.plot(steps, smooth(values), style, color=colour, linewidth=2, label=name)
    upper.set_title('training losses' if several else logs[0].name)
    upper.set_ylabel('loss')
    upper.set_ylim(bottom=min(0.0, upper.get_ylim()[0]))
    upper.legend()
    lower.set_ylabel('learning rate')
    lower.set_xlabel('iteration')
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    return figure


def read_logs(paths: Sequence[str | Path]) -> list[TrainLog]:
    """Read trainings; a resumed one is put together from the logs of all its launches.

    A later launch replaces what earlier ones logged from its first step on: it went on from a
    checkpoint that may be older than their last step.

    Args:
        paths: Work dirs, folders of one launch, or JSON files.

    Returns:
        A log a path, with names that differ.

    Raises:
        FileNotFoundError: If there is no log.
        ValueError: If a log holds no losses, or is damaged.
    """
    logs = []
    for path, name in zip(map(Path, paths), _names([Path(path) for path in paths])):
        rows: list[dict[str, Any]] = []
        for file in _files(path):
            launch = [row for row in read_scalars(file) if _is_training(row)]
            if launch:
                rows = [row for row in rows if row['step'] < launch[0]['step']] + launch
        if not rows:
            raise ValueError(f'{path} holds no losses: did its training reach a logged iteration?')
        logs.append(TrainLog(name, rows))
    return logs


def read_scalars(path: Path) -> list[dict[str, Any]]:
    """Read one JSON object per line, as mmengine writes them.

    A last line that a killed process left unfinished is left out.

    Raises:
        ValueError: If another line is no JSON object.
    """
    rows = []
    lines = path.read_text(encoding='utf-8').splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (number == len(lines) and not line.endswith(('}', '\n'))):
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f'{path}, line {number}, is not JSON: {error}') from error
        if not isinstance(row, dict):
            raise ValueError(f'{path}, line {number}, is not a JSON object but {line.strip()[:40]}')
        rows.append(row)
    return rows


def smooth(values: NDArray[Any]) -> NDArray[Any]:
    """Average each value (n,) with its finite neighbours, fewer of them at the ends."""
    reach = int(len(values) * SMOOTHED_SHARE / 2)
    finite = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    places = np.arange(len(values))
    first, last = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(values))
    with np.errstate(invalid='ignore'):
        means: NDArray[Any] = (sums[last] - sums[first]) / (counts[last] - counts[first])
    return means


def _is_training(row: dict[str, Any]) -> bool:
    return 'step' in row and 'loss' in row


def _files(path: Path) -> list[Path]:
    """JSON files of all launches of a training, the oldest first."""
    if path.is_file():
        return [path]
    files = [path / SCALARS] if (path / SCALARS).is_file() else sorted(path.glob(f'*/{SCALARS}'))
    if not files and path.name == 'vis_data':
        files = sorted(path.glob('scalars.json'))
    if not files:
        raise FileNotFoundError(
            f'no log at {path}: expected a work dir with <timestamp>/{SCALARS} in it, which '
            "mmengine's LocalVisBackend writes, or such a file"
        )
    return files


def _names(paths: Sequence[Path]) -> list[str]:
    """Names of runs, only as long as it takes to tell them apart."""
    roots = [
        path.parents[1] if path.suffix == '.json' and len(path.parents) > 1 else path
        for path in (path.absolute() for path in paths)
    ]
    for depth in range(1, max(len(root.parts) for root in roots) + 1):
        names = ['/'.join(root.parts[-depth:]) for root in roots]
        if len(set(names)) == len(names):
            return names
    return [f'{number}: {root.name}' for number, root in enumerate(roots, start=1)]
