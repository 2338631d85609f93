"""Plot losses and learning rate of one training, or of several on top of each other.

    python tools/analysis_tools/plot_losses.py work_dirs/patch_fcos_yellowstone --out losses.png

Reads the logs of mmengine's LocalVisBackend. A training that was killed and resumed is put
together from the logs of all its launches.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmpatch.visualization import plot_losses

__all__ = ['plot_losses']


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Plot losses and learning rate of trainings')
    parser.add_argument(
        'logs', nargs='+', type=Path, help='work dirs, folders of one launch, or JSON files'
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('losses.png'),
        help='picture to write, PNG, PDF or SVG (default: %(default)s)',
    )
    parser.add_argument(
        '--keys',
        nargs='+',
        help='what to plot, such as loss_cls (default: all losses of a run, loss of several)',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Plot and say where."""
    args = parse_args(argv)
    try:
        out = plot_losses(args.logs, args.out, args.keys)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'wrote {out}')


if __name__ == '__main__':
    main()
