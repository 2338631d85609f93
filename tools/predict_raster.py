"""Predict scenes that do not fit into memory, with a model of any task.

    python tools/predict_raster.py CONFIG CHECKPOINT scenes/*.tif --out results

Segmentation writes labels, detection writes vector files, classification writes a table. Scenes are read window
by window. Interrupted, the same command goes on where it was. Several processes share the scenes:

    torchrun --nproc-per-node 2 tools/predict_raster.py CONFIG CHECKPOINT scenes/*.tif --out results
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import torch
from mmengine.config import DictAction

from mmpatch.apis import OutputOptions, PatchPredictor, SceneResult, list_scenes
from mmpatch.apis.output_options import FORMATS
from mmpatch.apis.predict_scenes import write_table
from mmpatch.apis.ray_scenes import ray_scenes
from mmpatch.apis.share_scenes import Ranks, share_scenes


def number_or_word(text: str) -> float | str:
    """A number if the text is one, else the text."""
    try:
        return float(text)
    except ValueError:
        return text


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of a model of mmpatch')
    parser.add_argument('checkpoint')
    parser.add_argument(
        'scenes',
        nargs='+',
        help='files, folders, patterns, text files with a scene per line, or names such as /vsizip/...',
    )
    parser.add_argument('--out', type=Path, required=True, help='folder of the results')
    parser.add_argument(
        '--formats',
        nargs='+',
        choices=list(FORMATS),
        default=list(FORMATS),
        help='files of detections and polygons',
    )
    parser.add_argument('--png', action='store_true', help='labels as PNG and not as GeoTIFF')
    parser.add_argument('--polygons', action='store_true', help='labels as polygons, too')
    parser.add_argument('--overlay', action='store_true', help='draw labels over the scene')
    parser.add_argument('--explain', action='store_true', help='write the relevance of patches')
    parser.add_argument(
        '--bands',
        type=int,
        nargs='+',
        help="numbers of the bands to use, from 0; default: as the config's test pipeline reads them",
    )
    parser.add_argument(
        '--fill',
        type=number_or_word,
        help="value of pixels without data; default: as in the config's test pipeline",
    )
    parser.add_argument('--device', help='default: the GPU of this process if there is one')
    parser.add_argument(
        '--engine', choices=['local', 'ray'], default='local', help='ray: a pipeline of Ray Data'
    )
    parser.add_argument(
        '--workers', type=int, help='processes of --engine ray; default: one per GPU, or one'
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args()
    if args.workers is not None and (args.engine != 'ray' or args.workers < 1):
        parser.error('--workers is a positive number of processes and needs --engine ray')
    return args


def predict(args: argparse.Namespace) -> list[SceneResult]:
    """Predict all scenes with the engine that is asked for."""
    options = OutputOptions(
        tuple(args.formats), args.png, args.polygons, args.overlay, args.explain
    )
    scenes = list_scenes(args.scenes)
    settings: dict[str, Any] = dict(
        config=args.config,
        checkpoint=args.checkpoint,
        device=args.device,
        bands=args.bands,
        fill=args.fill,
        options=args.cfg_options,
    )
    if args.engine == 'ray':
        workers = args.workers or max(1, torch.cuda.device_count())
        return ray_scenes(settings, scenes, args.out, options, workers)
    ranks = Ranks.started()
    if args.device is None and torch.cuda.is_available():
        settings['device'] = f'cuda:{os.environ.get("LOCAL_RANK", 0)}'
    predictor = PatchPredictor(**settings)
    return share_scenes(predictor, scenes, args.out, options, ranks)


def main() -> None:
    """Predict, and say what became of each scene."""
    args = parse_args()
    try:
        results = predict(args)
        table = write_table(args.out, results)
    except (ImportError, OSError, TypeError, ValueError) as error:
        sys.exit(f'error: {error}')
    if int(os.environ.get('RANK', 0)):
        return  # the first process speaks for all
    for result in results:
        print(result.line)
    if table is not None:
        print(f'wrote {table}')
    failed = sum(result.state == 'failed' for result in results)
    print(f'{len(results) - failed} of {len(results)} scenes predicted to {args.out}')
    if failed:
        sys.exit(1)


if __name__ == '__main__':
    main()
