"""A whole comparison: all rows with all seeds, and the tables after each run."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from mmpatch.utils.files import locked, write_atomic

from .claims import claim
from .page import page, plot_memory
from .processes import RunError
from .report import columns, table, to_csv, to_json, to_latex
from .row import Row
from .runs import Run, train_and_test


@dataclass(frozen=True)
class Comparison:
    """Rows that are trained, tested and measured under the same conditions.

    Attributes:
        rows: What is compared.
        out: Folder for everything that is written.
        title: Of the page.
        seeds: Each row is run with each of them; None: the config's own.
        jobs: Runs at a time.
        minutes: Time to train each run [min], in place of its epochs.
        steps: Optimizer steps of each run, in place of its epochs.
        memory_limit: Such as ``'4GiB'``; a training that takes more is ended.
        options: ``key=value`` settings of all rows.
        checkpoints: One for each row, in place of a training.
        metrics: Names of the metrics to show; None: those of :func:`columns`.
    """

    rows: Sequence[Row]
    out: Path
    title: str
    seeds: Sequence[int | None] = (None,)
    jobs: int = 1
    minutes: float | None = None
    steps: int | None = None
    memory_limit: str | None = None
    options: Sequence[str] = ()
    checkpoints: Sequence[Path] | None = None
    metrics: Sequence[str] | None = None

    def run(self) -> list[Run]:
        """Run each row with each seed, and write the tables after each run.

        Runs that are done are only read. A run that fails has a row that says why.

        Raises:
            ValueError: If the folder holds files of somebody else, or a comparison with other
                settings.
            RuntimeError: If another comparison writes into the folder now.
        """
        claim(self.out, self._settings())
        with locked(self.out / '.lock', f'another comparison writes into {self.out}'):
            if self.jobs > 1:
                share = max(1, (os.cpu_count() or 1) // self.jobs)
                os.environ.setdefault('OMP_NUM_THREADS', str(share))
            runs = self._run_all()
            self.write_tables(runs)
        return runs

    def _settings(self) -> dict[str, Any]:
        """What all runs in the folder have in common."""
        return dict(
            minutes=self.minutes,
            steps=self.steps,
            jobs=self.jobs,
            memory_limit=self.memory_limit,
            cfg_options=list(self.options),
            checkpoints=self.checkpoints and [str(path) for path in self.checkpoints],
        )

    def _run_all(self) -> list[Run]:
        """Run everything, ``jobs`` runs at a time, and report the progress."""
        todo = [(number, seed) for seed in self.seeds for number in range(len(self.rows))]
        length = f'{self._budget()} each, ' if self._budget() else ''
        print(f'{len(todo)} runs, {length}{self.jobs} at a time', flush=True)  # noqa: T201
        start = time.monotonic()
        lengths: list[float] = []
        runs: dict[int, Run] = {}
        pool = ThreadPoolExecutor(self.jobs)
        try:
            futures = {pool.submit(self._run_one, *it): place for place, it in enumerate(todo)}
            for future in as_completed(futures):
                run, minutes = future.result()
                runs[futures[future]] = run
                lengths += [minutes] if minutes > 0.05 else []  # it was not only read
                self.write_tables([runs[place] for place in sorted(runs)])
                spent = (time.monotonic() - start) / 60
                left = mean(lengths or [0]) * (len(todo) - len(runs)) / self.jobs
                rest = f', about {left:.0f} min left' if left else ''
                said = f': failed, {run.failure}' if run.failure else ''
                done = f'=== {len(runs)} of {len(todo)} after {spent:.0f} min{rest}'
                print(f'{done}: {run.name}{said}', flush=True)  # noqa: T201
        finally:
            pool.shutdown(cancel_futures=True)
        return [runs[place] for place in sorted(runs)]

    def _run_one(self, number: int, seed: int | None) -> tuple[Run, float]:
        """Train and test one row with one seed; what came out, and the minutes that it took."""
        row = self.rows[number]
        name = row.name if seed is None else f'{row.name}_seed{seed}'
        log, start = self.out / f'{name}.log', time.monotonic()
        print(f'    {name} started; its output: {log}', flush=True)  # noqa: T201
        try:
            run = train_and_test(
                row.config,
                self.out / name,
                [*row.overrides, *self.options],
                row.name,
                log,
                seed=seed,
                minutes=self.minutes,
                steps=self.steps,
                memory_limit=self.memory_limit,
                checkpoint=self.checkpoints[number] if self.checkpoints else None,
            )
        except Exception as error:  # whatever it is, the other runs go on
            print(f'error: {error}', file=sys.stderr)  # noqa: T201
            reason = f'{type(error).__name__}: {error}'
            if isinstance(error, RunError):
                reason = error.reason
            else:
                with log.open('a') as stream:
                    traceback.print_exc(file=stream)
            run = Run(row.name, seed=seed, failure=f'{reason} (see {log.name})')
        return run, (time.monotonic() - start) / 60

    def write_tables(self, runs: Sequence[Run]) -> str:
        """Write the tables and the page of all runs that are done.

        Returns:
            The table for the terminal.
        """
        shown = self.metrics or columns(runs)
        text = table(runs, shown)
        files: dict[str, str] = {
            'table.md': text + '\n',
            'table.csv': to_csv(runs, shown),
            'table.tex': to_latex(runs, shown),
            'runs.json': to_json(runs, self._settings()),
            'report.html': page(self.title, runs, shown, self._drawn(runs), self._describe()),
        }
        for name, content in files.items():
            write_atomic(self.out / name, content.encode())
        if shown:
            plot_memory(runs, shown[0]).savefig(self.out / 'memory.png', dpi=130)
        return text

    def _drawn(self, runs: Sequence[Run]) -> Mapping[str, Path]:
        """Folders with the pictures of each row's last test, by the name of the row."""
        drawn: dict[str, Path] = {}
        for run in reversed(runs):
            name = run.name if run.seed is None else f'{run.name}_seed{run.seed}'
            folders = list(self.out.glob(f'{name}/*/drawn'))
            if folders:
                drawn[run.name] = max(folders, key=lambda path: path.stat().st_mtime)
        return {row.name: drawn[row.name] for row in self.rows if row.name in drawn}

    def _budget(self) -> str:
        """How long each run is trained, in words; empty: by its own schedule."""
        if self.steps:
            return f'{self.steps} optimizer steps'
        return f'{self.minutes:g} minutes' if self.minutes else ''

    def _describe(self) -> str:
        """What all runs had in common, as a sentence."""
        parts = ['given checkpoints' if self.checkpoints else 'trained by their own schedules']
        if self._budget():
            parts = [f'each trained for {self._budget()}']
        if len(self.seeds) > 1:
            parts.append(f'{len(self.seeds)} seeds (mean ± standard deviation)')
        if self.jobs > 1:
            threads = os.environ.get('OMP_NUM_THREADS', '')
            parts.append(f'{self.jobs} runs at a time, threads of each: {threads}')
        if self.memory_limit:
            parts.append(f'memory limit {self.memory_limit}')
        return '; '.join([*parts, *self.options]) + '.'
