"""Train and test several configs, each in processes of its own, and put them into one table.

    python tools/compare.py configs/patch_unet_nuclei.py configs/baselines/*unet_nuclei*.py --out work_dirs/nuclei
    python tools/compare.py A.py B.py --out work_dirs/ab --minutes 5 --seeds 0 1 2   # the same time for each

A run that is finished in OUT is not repeated, an interrupted one is resumed. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import time
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
    runs: list[Run] = []
    start = time.monotonic()
    todo = [(config, seed) for seed in args.seeds or [None] for config in args.configs]
    for number, (config, seed) in enumerate(todo, start=1):
        name = config.stem if seed is None else f'{config.stem}_seed{seed}'
        spent = (time.monotonic() - start) / 60
        print(f'\n=== {number}/{len(todo)} {name}, {spent:.0f} min so far ===', flush=True)
        options = args.cfg_options + ([] if seed is None else [f'randomness.seed={seed}'])
        work_dir = args.out / name
        runs.append(train_and_test(config, work_dir, options, config.stem, args.minutes))
        shown = args.metrics or [m for m in METRICS if any(m in run.metrics for run in runs)]
        (args.out / 'table.md').write_text(table(runs, shown) + '\n')
        (args.out / 'table.csv').write_text(to_csv(runs, shown))
    print(f'\n{table(runs, shown)}\n\nwrote {args.out}/table.md and table.csv')


if __name__ == '__main__':
    main()
