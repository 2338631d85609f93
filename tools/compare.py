"""Train and test several configs, each in processes of its own, and put them into one table.

    python tools/compare.py configs/patch_unet_nuclei.py configs/baselines/*unet_nuclei*.py --out work_dirs/nuclei
    python tools/compare.py A.py B.py --out work_dirs/ab --minutes 5 --seeds 0 1 2   # the same time for each

A run that is finished in OUT is not repeated, an interrupted one is resumed. One that fails does not stop the others
and is named at the end. Nothing else should run on the machine; with --jobs, every run has the same number of cores to
itself.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from mmpatch.comparison import Run, table, to_csv, train_and_test

#: Shown if a run reports them, in this order.
METRICS = (
    'coco/AP',
    'coco/AP50',
    'coco/AP75',
    'seg/image/F1',
    'seg/image/IoU',
    'seg/image/BAcc',
    'seg/pixel/IoU',
    'accuracy/top1',
    'cls/kappa',
)


def main(argv: list[str] | None = None) -> None:
    """Run all configs; write the table after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', type=Path)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--minutes', type=float, help='time to train each, in place of its epochs')
    parser.add_argument(
        '--seeds', nargs='+', type=int, help="train each with these; the config's own by default"
    )
    parser.add_argument(
        '--jobs', type=int, default=1, help='runs at a time, each with its share of the cores'
    )
    parser.add_argument('--metrics', nargs='+', help='names of metrics to show')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], help='key=value settings of all configs'
    )
    args = parser.parse_args(argv)
    for config in args.configs:
        if not config.is_file():
            parser.error(f'no config at {config}')
    if len({config.stem for config in args.configs}) < len(args.configs):
        parser.error('two configs have the same name; the name is that of the run')
    if args.jobs > 1:
        os.environ.setdefault('OMP_NUM_THREADS', str(max(1, (os.cpu_count() or 1) // args.jobs)))
    args.out.mkdir(parents=True, exist_ok=True)
    todo = [(config, seed) for seed in args.seeds or [None] for config in args.configs]
    start = time.monotonic()
    runs: dict[int, Run] = {}
    failures: list[str] = []
    with ThreadPoolExecutor(args.jobs) as pool:
        futures = {pool.submit(run_one, *it, args): number for number, it in enumerate(todo)}
        for future in as_completed(futures):
            try:
                runs[futures[future]] = future.result()
            except RuntimeError as error:  # the others go on
                failures.append(str(error))
            text = write_tables([runs[number] for number in sorted(runs)], args)
            minutes = (time.monotonic() - start) / 60
            ended = len(runs) + len(failures)
            print(f'=== {ended} of {len(todo)} done after {minutes:.0f} min', flush=True)
    print(f'\n{text}\n\nwrote {args.out}/table.md and table.csv')
    if failures:
        sys.exit('\n'.join(f'error: {failure}' for failure in failures))


def write_tables(runs: Sequence[Run], args: argparse.Namespace) -> str:
    """Write the tables of all runs that are done; returns the one for the terminal."""
    shown = args.metrics or [m for m in METRICS if any(m in run.metrics for run in runs)]
    text = table(runs, shown)
    (args.out / 'table.md').write_text(text + '\n')
    (args.out / 'table.csv').write_text(to_csv(runs, shown))
    return text


def run_one(config: Path, seed: int | None, args: argparse.Namespace) -> Run:
    """Train and test one config with one seed."""
    name = config.stem if seed is None else f'{config.stem}_seed{seed}'
    options = args.cfg_options + ([] if seed is None else [f'randomness.seed={seed}'])
    log = args.out / f'{name}.log' if args.jobs > 1 else None
    print(f'=== {name}' + (f', its output is in {log}' if log else ''), flush=True)
    return train_and_test(config, args.out / name, options, config.stem, args.minutes, log)


if __name__ == '__main__':
    main()
