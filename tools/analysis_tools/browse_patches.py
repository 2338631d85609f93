"""Draw the patches that the training of a config would see.

    python tools/analysis_tools/browse_patches.py configs/patch_fcos_yellowstone.py

Each image of the first batches becomes one PNG: the grid over the image, the objects, the global
patch, and the patches of each inner iteration. A training with the config's seed on one process draws
the same patches in its first epoch, since data loader and train loop are the same code.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.structures.bbox import get_box_tensor
from mmengine.config import Config, DictAction
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from mmpatch.engine.gradients import build_gradient
from mmpatch.engine.loops.patchgd_loops import PatchGDIterTrainLoop, PatchGDMixin
from mmpatch.engine.loops.seeding import SeededBatches, seed_everything
from mmpatch.patching import PatchBatch, PatchSampler, PatchSchedule
from mmpatch.registry import LOOPS
from mmpatch.visualization.draws_page import Draws, draw_draws, draws_of_batch


def browse(cfg: Config, num_batches: int) -> Iterator[tuple[int, int, Draws]]:
    """Yield the draws of every image of the first batches.

    Args:
        cfg: Config of a patch-wise training.
        num_batches: How many batches to go through at most.

    Yields:
        Number of the batch, number of the image in it, and its :class:`Draws`.

    Raises:
        ValueError: If the config does not train patch by patch.
    """
    check_patchwise(cfg)
    seed = cfg.get('randomness', {}).get('seed')
    if seed is None:
        print('the config sets no randomness.seed, so each training draws anew: taking seed 0')
        seed = 0
    model = cfg.model
    preprocessor = MODELS.build(model.get('data_preprocessor') or cfg.data_preprocessor)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=seed)
    names = [field.name for field in fields(PatchSchedule)]
    schedule = PatchSchedule(**{k: cfg.train_cfg[k] for k in names if k in cfg.train_cfg})
    samples_patches = build_gradient(cfg.train_cfg.get('gradient', 'sampled')).samples
    seed_everything(seed, 0)
    batches = iter(loader)
    if issubclass(LOOPS.get(cfg.train_cfg.type), PatchGDIterTrainLoop):
        batches = SeededBatches(batches, seed, loader.num_workers)
    count = min(num_batches, len(loader))
    for number, data in enumerate(track(islice(batches, count), 'Drawing', total=count)):
        data = preprocessor(data, True)
        batch: PatchBatch[Any] = PatchBatch(
            data['inputs'], model.patch_size, model.get('halo', 0), preprocessor.to_input
        )
        draws = [batch.all_patches]
        if samples_patches:
            places = [batch.places_of(image) for image in range(batch.num_images)]
            draws = PatchSampler(seed).draw(places, schedule, epoch=0, iteration=number)
            draws = draws[schedule.global_iteration :]  # that of the global patch draws none
        samples = data['data_samples']
        pages = draws_of_batch(
            batch,
            draws,
            [_boxes(sample) for sample in samples],
            [Path(sample.metainfo.get('img_path') or 'image').name for sample in samples],
            global_patch=model.get('global_patch', True),
            note=_note(seed, number, schedule if samples_patches else None),
        )
        for image, page in enumerate(pages):
            yield number, image, page


def check_patchwise(cfg: Config) -> None:
    """Say what is missing in a config that does not train patch by patch.

    Raises:
        ValueError: If its model has no patch size or its train loop draws no patches.
    """
    loop = LOOPS.get((cfg.get('train_cfg') or {}).get('type', 'none'))
    is_ours = isinstance(loop, type) and issubclass(loop, PatchGDMixin)
    if not is_ours or 'patch_size' not in cfg.model:
        raise ValueError(
            f'{cfg.filename or "this config"} does not train patch by patch: it takes a model with '
            "a patch_size, such as 'mmpatch.PatchDetector', and train_cfg.type="
            "'mmpatch.PatchGDTrainLoop' or 'mmpatch.PatchGDIterTrainLoop'"
        )


def save(page: Draws, batch: int, image: int, out_dir: Path) -> tuple[Path, NDArray[Any]]:
    """Draw one page to ``out_dir``; its path and its pixels."""
    picture = draw_draws(page)
    path = out_dir / f'batch{batch:03d}_{image}_{Path(page.title).stem}.png'
    Image.fromarray(picture).save(path)
    return path, picture


def _note(seed: int, number: int, schedule: PatchSchedule | None) -> str:
    when = f'seed {seed}, epoch 1, iteration {number + 1}'
    if schedule is None:
        return f"{when}, gradient='exact': every patch takes part in the one step of a batch"
    if schedule.sampled_patches is None:
        when += f', sampling rate {schedule.sampling_rate:g}'
    if schedule.global_iteration:
        when += '; one more inner iteration, before these, trains the global patch alone'
    return when


def _boxes(sample: Any) -> NDArray[Any]:
    """Objects of a data sample, (G, 4) [px]; none for tasks without boxes."""
    instances = sample.get('gt_instances')
    if instances is None or 'bboxes' not in instances:
        return np.zeros((0, 4))
    boxes: NDArray[Any] = get_box_tensor(instances.bboxes).numpy().astype(float)
    return boxes


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw the patches that a training would see')
    parser.add_argument('config', help='train config file path')
    parser.add_argument(
        '--out-dir',
        type=Path,
        help='folder for the PNG files (default: work_dirs/<config name>/patches)',
    )
    parser.add_argument(
        '--num-batches', type=int, default=1, help='batches to draw (default: %(default)s)'
    )
    parser.add_argument('--show', action='store_true', help='open each picture in a window too')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='override settings of the config, e.g. model.patch_size=256',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Draw the first batches of a config."""
    args = parse_args(argv)
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope') or 'mmdet')
    try:
        check_patchwise(cfg)
    except ValueError as error:
        sys.exit(f'error: {error}')
    out_dir = args.out_dir or Path('work_dirs') / Path(args.config).stem / 'patches'
    out_dir.mkdir(parents=True, exist_ok=True)
    visualizer = Visualizer() if args.show else None
    count = 0
    for batch, image, page in browse(cfg, args.num_batches):
        _, picture = save(page, batch, image, out_dir)
        count += 1
        if visualizer is not None:
            visualizer.show(picture, win_name=page.title)
    print(f'wrote {count} picture(s) to {out_dir}')


if __name__ == '__main__':
    main()
