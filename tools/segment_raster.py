"""Segment an image that does not fit into memory and write its labels as a tiled GeoTIFF or a PNG.

    python tools/segment_raster.py CONFIG CHECKPOINT scene.tif --out labels.tif --overlay overlay.png

Neither the image nor the labels are ever whole in memory. Interrupted, the same command goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
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


def reading_of(cfg: Config, count: int) -> tuple[list[int] | None, float | str]:
    """How a model is used to be given an image, from the reader of its test pipeline.

    Args:
        cfg: Config of the model.
        count: Bands of the image.

    Returns:
        Numbers of the bands in order, None for all; and what fills pixels without data.
    """
    loader = cfg.get('test_dataloader') or {}
    reader = ((loader.get('dataset') or {}).get('pipeline') or [{}])[0]
    name = str(reader.get('type')).split('.')[-1]
    if name == 'PackRasterScene':
        return reader.get('bands'), reader.get('fill', 'mean')
    if name not in ('LoadImageFromFile', 'LoadPatchImage'):
        return None, 'mean'
    if reader.get('color_type') == 'unchanged':
        return {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(count), 'mean'
    return {1: [0, 0, 0], 3: [2, 1, 0], 4: [2, 1, 0]}.get(count), 'mean'  # blue first, no alpha


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
        '--bands',
        type=int,
        nargs='+',
        help="numbers of the bands to use, from 0; default: as the config's test pipeline reads them",
    )
    parser.add_argument(
        '--fill',
        type=number_or_word,
        help="value of pixels without data; default: that of the config's test pipeline",
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
        bands, fill = reading_of(cfg, RasterImage(args.image).shape[0])
        if args.bands is None and bands is not None:
            print(f'bands {bands}, as the test pipeline of {args.config} gives them')
        image = RasterImage(
            args.image,
            bands if args.bands is None else args.bands,
            fill=fill if args.fill is None else args.fill,
        )
        segment_raster(model, image, args.out, meta.get('palette'))
        if args.overlay is not None:
            draw_overlay(image, args.out, args.overlay, meta)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'wrote {args.out}')


if __name__ == '__main__':
    main()
