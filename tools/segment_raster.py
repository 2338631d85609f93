"""Segment an image that does not fit into memory and write its labels as a tiled GeoTIFF or a PNG.

    python tools/segment_raster.py CONFIG CHECKPOINT scene.tif --out labels.tif --overlay overlay.png

Neither the image nor the labels are ever whole in memory. Interrupted, the same command goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from mmengine.config import DictAction
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import load_checkpoint

from mmpatch.apis import draw_overlay, segment_raster
from mmpatch.datasets.raster_image import RasterImage
from mmpatch.utils import load_config


def number_or_word(text: str) -> float | str:
    """A number if the text is one, else the text."""
    try:
        return float(text)
    except ValueError:
        return text


def main() -> None:
    """Load the model, segment, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of a PatchSegmentor')
    parser.add_argument('checkpoint')
    parser.add_argument('image', type=Path, help='any raster that GDAL reads; tiled ones are fast')
    parser.add_argument('--out', type=Path, required=True, help='.tif or .png to write')
    parser.add_argument('--overlay', type=Path, help='PNG to draw the labels over the image in')
    parser.add_argument(
        '--bands', type=int, nargs='+', help='numbers of the bands to use, from 0; default: all'
    )
    parser.add_argument(
        '--fill',
        type=number_or_word,
        default='mean',
        help='value of pixels without data, as in training; default: the mean of their band',
    )
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args()
    cfg = load_config(args.config, work_dir=None, launcher='none', options=args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    model = MODELS.build(cfg.model)
    checkpoint = load_checkpoint(model, args.checkpoint, map_location='cpu')
    model.to(args.device).eval()
    meta = checkpoint.get('meta', {}).get('dataset_meta') or {}
    try:
        image = RasterImage(args.image, args.bands, fill=args.fill)
        segment_raster(model, image, args.out, meta.get('palette'))
        if args.overlay is not None:
            draw_overlay(image, args.out, args.overlay, meta)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'wrote {args.out}')


if __name__ == '__main__':
    main()
