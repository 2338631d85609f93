"""Train and test several configs, each in processes of its own, and put them into one table.

    python tools/compare.py --suite yellowstone --minutes 8 --seeds 0 1 --jobs 2
    python tools/compare.py --suite yellowstone --quick
    python tools/compare.py A.py B.py --out work_dirs/ab --steps 1000
    python tools/compare.py A.py B.py --out work_dirs/ab --memory-limit 4GiB
    python tools/compare.py A.py B.py --out work_dirs/ab --checkpoints a.pth b.pth   # no training

Writes report.html, which needs no other file, and table.md, table.csv, table.tex, memory.png. With --resume, a run
that is finished in OUT is not repeated and an interrupted one goes on. A run that fails has a row that says why, and
the others go on. Nothing else should run on the machine; with --jobs, every run has the same number of cores to
itself.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from statistics import mean
from typing import Any

from mmpatch.comparison import (
    SUITES,
    Run,
    RunError,
    check_comparable,
    page,
    plot_memory,
    suite_configs,
    table,
    to_csv,
    to_latex,
    train_and_test,
)
from mmpatch.utils.files import locked, write_atomic
from mmpatch.utils.memory import parse_size

ROOT = Path(__file__).resolve().parent.parent
#: Shown if a run reports them, in this order; the prefix that a metric puts before is left out.
METRICS = (
    *('MR_R', 'MR_RS', 'MR_HO', 'MR_R+HO', 'MR_A'),
    *('AP', 'AP50', 'AP75', 'AP_s', 'AP_m', 'AP_l', 'AP_eS', 'AP_rS', 'AP_gS', 'AP_N'),
    *('image/F1', 'image/IoU', 'image/BAcc', 'pixel/IoU'),
    *('top1', 'kappa'),
)
#: --quick: what a whole suite takes, and about what a run takes beside its training [min].
QUICK_MINUTES = 15.0
OVERHEAD_MINUTES = 1.0


def main(argv: list[str] | None = None) -> None:
    """Run all configs; write the tables after each."""
    args = parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    with locked(args.out / '.lock', f'another comparison writes into {args.out}'):
        check_settings(args)
        if args.jobs > 1:
            share = max(1, (os.cpu_count() or 1) // args.jobs)
            os.environ.setdefault('OMP_NUM_THREADS', str(share))
        runs = run_all([(config, seed) for seed in args.seeds for config in args.configs], args)
    print(f'\n{write_tables(runs, args)}\n\nwrote {args.out}/report.html and table.md, .csv, .tex')
    if any(run.failure for run in runs):
        sys.exit(1)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line and check what can be checked before the first training."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='*', type=Path)
    parser.add_argument(
        '--suite', help=f'configs that belong together, in place of a list: {", ".join(SUITES)}'
    )
    parser.add_argument('--out', type=Path, help='folder; work_dirs/SUITE by default')
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument('--minutes', type=float, help='time to train each, in place of its epochs')
    budget.add_argument('--steps', type=int, help='optimizer steps of each, in place of its epochs')
    budget.add_argument(
        '--quick', action='store_true', help=f'the whole suite in about {QUICK_MINUTES:.0f} minutes'
    )
    parser.add_argument(
        '--seeds',
        nargs='+',
        type=int,
        default=[None],
        help="train each with these; the config's own by default",
    )
    parser.add_argument(
        '--jobs', type=int, default=1, help='runs at a time, each with its share of the cores'
    )
    parser.add_argument(
        '--memory-limit',
        help='such as 4GiB: patch-wise trainings get it as their budget, any training that takes '
        'more is ended, and its row says how much it took',
    )
    parser.add_argument(
        '--checkpoints', nargs='+', type=Path, help='test these, one for each config; no training'
    )
    parser.add_argument('--resume', action='store_true', help='go on with what is in OUT')
    parser.add_argument('--metrics', nargs='+', help='names of metrics to show')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], help='key=value settings of all configs'
    )
    args = parser.parse_args(argv)
    try:
        check_args(args)
    except ValueError as error:
        parser.error(str(error))
    return args


def check_args(args: argparse.Namespace) -> None:
    """Fill in what follows from other arguments, and check them.

    Raises:
        ValueError: If something is missing or does not fit.
    """
    if bool(args.suite) == bool(args.configs):
        raise ValueError('give either configs or a --suite')
    if args.suite:
        args.configs = suite_configs(args.suite, ROOT / 'configs')
        args.out = args.out or Path('work_dirs') / args.suite
    if args.out is None:
        raise ValueError('give a folder to write to, --out DIR')
    for config in args.configs:
        if not config.is_file():
            raise ValueError(f'no config at {config}')
    if len({config.stem for config in args.configs}) < len(args.configs):
        raise ValueError('two configs have the same name; the name is that of the run')
    check_comparable(args.configs)
    if args.memory_limit is not None:
        parse_size(args.memory_limit)
    for name in ('jobs', 'minutes', 'steps'):
        value = getattr(args, name)
        if value is not None and value <= 0:
            raise ValueError(f'--{name} must be positive, got {value}')
    if args.checkpoints is not None:
        if len(args.checkpoints) != len(args.configs):
            raise ValueError(
                f'--checkpoints needs one for each of the {len(args.configs)} configs, in their '
                f'order; got {len(args.checkpoints)}'
            )
        missing = [str(path) for path in args.checkpoints if not path.is_file()]
        if missing:
            raise ValueError(f'no checkpoint at {", ".join(missing)}')
        if args.seeds != [None] or args.minutes or args.steps or args.quick:
            raise ValueError(
                '--checkpoints are not trained: leave --seeds, --minutes, --steps, --quick out'
            )
    if args.quick:
        if len(args.seeds) > 1:
            raise ValueError(f'--quick has one seed, got {len(args.seeds)}')
        rounds = -(-len(args.configs) // args.jobs)
        args.minutes = round(max(0.25, QUICK_MINUTES / rounds - OVERHEAD_MINUTES), 2)


def check_settings(args: argparse.Namespace) -> None:
    """Refuse to mix runs of different settings in one folder; note those of this comparison.

    Ends the program if the folder has runs and they are not to be resumed, or had other settings.
    """
    note = args.out / 'settings.json'
    now = dict(
        minutes=args.minutes,
        steps=args.steps,
        jobs=args.jobs,
        memory_limit=args.memory_limit,
        cfg_options=args.cfg_options,
        checkpoints=args.checkpoints and [str(path) for path in args.checkpoints],
    )
    if note.is_file():
        if not args.resume:
            sys.exit(
                f'error: {args.out} holds a comparison already: go on with it by --resume, or '
                'choose another --out'
            )
        before = json.loads(note.read_text())
        for name, value in now.items():
            if before.get(name) != value:
                sys.exit(
                    f'error: the comparison in {args.out} has {name}={before.get(name)}, this one '
                    f'{value}: their rows cannot be compared; choose another --out'
                )
    write_atomic(note, json.dumps(now, indent=1).encode())


def run_all(todo: Sequence[tuple[Path, int | None]], args: argparse.Namespace) -> list[Run]:
    """Run each config with each seed; those that are done are only read."""
    length = f'{budget_of(args)} each, ' if budget_of(args) else ''
    print(f'{len(todo)} runs, {length}{args.jobs} at a time', flush=True)
    start = time.monotonic()
    lengths: list[float] = []
    runs: dict[int, Run] = {}
    pool = ThreadPoolExecutor(args.jobs)
    try:
        futures = {pool.submit(run_one, *it, args): number for number, it in enumerate(todo)}
        for future in as_completed(futures):
            run, minutes = future.result()
            runs[futures[future]] = run
            lengths += [minutes] if minutes > 0.05 else []  # it was not only read
            write_tables([runs[number] for number in sorted(runs)], args)
            spent = (time.monotonic() - start) / 60
            left = mean(lengths or [0]) * (len(todo) - len(runs)) / args.jobs
            rest = f', about {left:.0f} min left' if left else ''
            said = f': failed, {run.failure}' if run.failure else ''
            print(f'=== {len(runs)} of {len(todo)} after {spent:.0f} min{rest}: {run.name}{said}')
            sys.stdout.flush()
    finally:
        pool.shutdown(cancel_futures=True)
    return [runs[number] for number in sorted(runs)]


def run_one(config: Path, seed: int | None, args: argparse.Namespace) -> tuple[Run, float]:
    """Train and test one config with one seed; returns what came out and the minutes it took."""
    name = config.stem if seed is None else f'{config.stem}_seed{seed}'
    log, start = args.out / f'{name}.log', time.monotonic()
    print(f'    {name} started; its output: {log}', flush=True)
    checkpoints: Mapping[Path, Path] = dict(zip(args.configs, args.checkpoints or []))
    try:
        run = train_and_test(
            config,
            args.out / name,
            args.cfg_options,
            log=log,
            seed=seed,
            minutes=args.minutes,
            steps=args.steps,
            memory_limit=args.memory_limit,
            checkpoint=checkpoints.get(config),
        )
    except RunError as error:  # the others go on
        print(f'error: {error}', file=sys.stderr)
        run = Run(config.stem, seed=seed, failure=f'{error.reason} (see {log.name})')
    return run, (time.monotonic() - start) / 60


def write_tables(runs: Sequence[Run], args: argparse.Namespace) -> str:
    """Write the tables of all runs that are done; returns the one for the terminal."""
    found = dict.fromkeys(key for run in runs for key in run.metrics)
    shown = args.metrics or [k for tail in METRICS for k in found if k.split('/', 1)[-1] == tail]
    text = table(runs, shown)
    drawn = {run.name: folder for run in reversed(runs) if (folder := drawn_by(run, args.out))}
    title = f'Comparison: {args.suite or args.out.name}'
    order = [config.stem for config in args.configs]
    drawn = {name: drawn[name] for name in order if name in drawn}
    files: dict[str, Any] = {
        'table.md': text + '\n',
        'table.csv': to_csv(runs, shown),
        'table.tex': to_latex(runs, shown),
        'report.html': page(title, runs, shown, drawn, describe(args)),
    }
    for name, content in files.items():
        write_atomic(args.out / name, content.encode())
    if shown:
        plot_memory(runs, shown[0]).savefig(args.out / 'memory.png', dpi=130)
    return text


def drawn_by(run: Run, out: Path) -> Path | None:
    """Folder with the pictures of a run's last test."""
    name = run.name if run.seed is None else f'{run.name}_seed{run.seed}'
    return max(out.glob(f'{name}/*/drawn'), key=lambda path: path.stat().st_mtime, default=None)


def budget_of(args: argparse.Namespace) -> str:
    """How long each run is trained, in words; empty: by its own schedule."""
    if args.steps:
        return f'{args.steps} optimizer steps'
    return f'{args.minutes:g} minutes' if args.minutes else ''


def describe(args: argparse.Namespace) -> str:
    """What all runs had in common."""
    parts = ['given checkpoints' if args.checkpoints else 'trained by their own schedules']
    if budget_of(args):
        parts = [f'each trained for {budget_of(args)}']
    if len(args.seeds) > 1:
        parts.append(f'{len(args.seeds)} seeds (mean ± standard deviation)')
    if args.jobs > 1:
        parts.append(
            f'{args.jobs} runs at a time, threads of each: {os.environ["OMP_NUM_THREADS"]}'
        )
    if args.memory_limit:
        parts.append(f'memory limit {args.memory_limit}')
    return '; '.join([*parts, *args.cfg_options]) + '.'


if __name__ == '__main__':
    main()
