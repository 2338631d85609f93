"""Several processes that share scenes, as torchrun starts them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist

from .output_options import OutputOptions
from .patch_predictor import PatchPredictor
from .predict_scenes import attempt, predict_scenes
from .progress_line import ProgressLine
from .scene_result import SceneResult
from .write_scene import save_share

#: A process waits for the others until they are done. torchrun ends it if one of them dies.
PATIENCE = timedelta(days=365)
#: What a process that computes some rows leaves to process 0, which meets and reports it.
REPORTED = (OSError, ValueError, RuntimeError)


@dataclass(frozen=True)
class Ranks:
    """This process among those that share scenes.

    Attributes:
        rank: Number of this process, from 0.
        size: Number of all.
    """

    rank: int
    size: int

    @classmethod
    def started(cls) -> Ranks:
        """Join the processes that torchrun started; alone without torchrun."""
        ranks = cls(int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1)))
        if ranks.size > 1 and not dist.is_initialized():
            dist.init_process_group('gloo', timeout=PATIENCE)
        return ranks

    def rows(self, count: int) -> range:
        """The rows of a shared scene that this process computes."""
        return range(count * self.rank // self.size, count * (self.rank + 1) // self.size)


def share_scenes(
    predictor: PatchPredictor,
    scenes: Mapping[str, str],
    folder: Path,
    options: OutputOptions,
    ranks: Ranks,
) -> list[SceneResult]:
    """Predict scenes together with other processes.

    Process r of N takes scenes r, r + N, ... A scene that has more patches than the Nth part of all
    would keep one process busy for longer than the others. All processes share its rows instead.

    Args:
        predictor: The model.
        scenes: See :func:`mmpatch.apis.predict_scenes`.
        folder: Where results go; all processes see it.
        options: Which files to write.
        ranks: This process and the others.

    Returns:
        In process 0 a result per scene, in the order of the scenes; in the others nothing.
    """
    if ranks.size == 1:
        return predict_scenes(predictor, scenes, folder, options)
    options.check(predictor.task)
    large = _large(predictor, scenes, ranks)
    with ProgressLine(len(large), ranks.rank == 0) as line:
        for name in large:
            line.next_scene()
            with suppress(*REPORTED):
                save_share(predictor, scenes[name], name, folder, options, ranks.rows, line)
            dist.barrier()
    names = [name for name in scenes if name not in large][ranks.rank :: ranks.size]
    own = {name: scenes[name] for name in (*(large if ranks.rank == 0 else ()), *names)}
    results = {}
    with ProgressLine(len(own), ranks.rank == 0) as line:
        for name, path in own.items():
            line.next_scene()
            results[name] = attempt(predictor, path, name, folder, options, line)
    return _gathered(results, scenes, ranks)


def _large(predictor: PatchPredictor, scenes: Mapping[str, str], ranks: Ranks) -> list[str]:
    """Names of the scenes whose rows are shared; process 0 decides, as files may change."""
    chosen: list[list[str]] = [[]]
    if ranks.rank == 0:
        sizes = {}
        for name, path in scenes.items():
            try:
                sizes[name] = predictor.open(path).shape.numel()
            except (OSError, ValueError):  # whose turn it is reports it
                sizes[name] = 0
        share = sum(sizes.values()) / ranks.size
        chosen = [[name for name, size in sizes.items() if size > share]]
    dist.broadcast_object_list(chosen)
    return chosen[0]


def _gathered(
    results: Mapping[str, SceneResult], scenes: Mapping[str, str], ranks: Ranks
) -> list[SceneResult]:
    """The results of all processes, in process 0."""
    parts: list[dict[str, SceneResult]] = [{} for _ in range(ranks.size)]
    dist.gather_object(dict(results), parts if ranks.rank == 0 else None)
    found = {name: result for part in parts for name, result in part.items()}
    return [found[name] for name in scenes if name in found]
