"""Train and test several configs, each in processes of its own, and put them into one table.

    python tools/compare.py --suite yellowstone --minutes 8 --seeds 0 1 --jobs 2
    python tools/compare.py --suite yellowstone --quick
    python tools/compare.py A.py B.py --out work_dirs/ab --steps 1000
    python tools/compare.py A.py B.py --out work_dirs/ab --memory-limit 4GiB
    python tools/compare.py A.py B.py --out work_dirs/ab --checkpoints a.pth b.pth   # no training
    python tools/compare.py --suite soda --list        # how to train each row of a suite alone

Writes report.html, which needs no other file, table.md, table.csv, table.tex, memory.png and runs.json. OUT must be a
new or empty folder, or that of a comparison with the same settings: with --resume, a run that is finished there is not
repeated, and an interrupted one goes on. A run that fails has a row that says why, and the others go on. Nothing else
should run on the machine; with --jobs, every run has the same number of cores to itself.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmpatch.comparison import (
    SUITES,
    Comparison,
    check_comparable,
    find_row,
    is_claimed,
    list_rows,
    suite_rows,
)
from mmpatch.utils.memory import parse_size

#: --quick: how long a whole suite takes, and about how long a run takes beside its training [min].
QUICK_MINUTES = 15.0
OVERHEAD_MINUTES = 1.0


def main(argv: list[str] | None = None) -> None:
    """Run all configs; write the tables after each."""
    args = parse_args(argv)
    if args.list:
        print(list_rows(args.rows))
        return
    if is_claimed(args.out) and not args.resume:
        sys.exit(
            f'error: {args.out} holds a comparison already: go on with it by --resume, or choose '
            'another --out'
        )
    comparison = Comparison(
        rows=args.rows,
        out=args.out,
        title=f'Comparison: {args.suite or args.out.name}',
        seeds=args.seeds,
        jobs=args.jobs,
        minutes=args.minutes,
        steps=args.steps,
        memory_limit=args.memory_limit,
        options=args.cfg_options,
        checkpoints=args.checkpoints,
        metrics=args.metrics,
    )
    try:
        runs = comparison.run()
    except (ValueError, RuntimeError) as error:
        sys.exit(f'error: {error}')
    print(f'\n{comparison.write_tables(runs)}\n')
    print(f'wrote {args.out}/report.html and table.md, .csv, .tex')
    if any(run.failure for run in runs):
        sys.exit(1)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line and check what can be checked before the first training."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='*', help='files, or names of rows that --list prints')
    parser.add_argument(
        '--suite', help=f'rows that belong together, in place of configs: {", ".join(SUITES)}'
    )
    parser.add_argument(
        '--list',
        action='store_true',
        help='print the command that trains each row alone, and train nothing; without configs and '
        '--suite, of all suites',
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
        choose_rows(args)
        if not args.list:
            check_args(args)
    except ValueError as error:
        parser.error(str(error))
    return args


def choose_rows(args: argparse.Namespace) -> None:
    """Find the rows: those of the suite, or those of the configs.

    Raises:
        ValueError: If neither or both are given, or one of them does not exist.
    """
    if args.list and not args.suite and not args.configs:
        by_name = {row.name: row for suite in SUITES for row in suite_rows(suite)}
        args.rows = list(by_name.values())
        return
    if bool(args.suite) == bool(args.configs):
        raise ValueError('give either configs or a --suite')
    args.rows = suite_rows(args.suite) if args.suite else [find_row(it) for it in args.configs]
    missing = [str(row.config) for row in args.rows if not Path(row.config).is_file()]
    if missing:
        raise ValueError(f'no config at {", ".join(missing)}')


def check_args(args: argparse.Namespace) -> None:
    """Fill in what follows from other arguments, and check them.

    Raises:
        ValueError: If something is missing or does not fit.
    """
    if args.suite:
        args.out = args.out or Path('work_dirs') / args.suite
    if args.out is None:
        raise ValueError('give a folder to write to, --out DIR')
    if len({row.name for row in args.rows}) < len(args.rows):
        raise ValueError('two configs have the same name; the name is that of the run')
    check_comparable(args.rows)
    if args.memory_limit is not None:
        parse_size(args.memory_limit)
    for name in ('jobs', 'minutes', 'steps'):
        value = getattr(args, name)
        if value is not None and value <= 0:
            raise ValueError(f'--{name} must be positive, got {value}')
    if args.checkpoints is not None:
        if len(args.checkpoints) != len(args.rows):
            raise ValueError(
                f'--checkpoints needs one for each of the {len(args.rows)} configs, in their '
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
        rounds = -(-len(args.rows) // args.jobs)
        args.minutes = round(max(0.25, QUICK_MINUTES / rounds - OVERHEAD_MINUTES), 2)


if __name__ == '__main__':
    main()
