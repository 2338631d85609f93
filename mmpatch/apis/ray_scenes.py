"""Many scenes on the workers of a Ray cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.progress import track

from mmpatch.utils.files import write_atomic

from .output_options import OutputOptions
from .patch_predictor import PatchPredictor
from .predict_scenes import attempt
from .scene_result import SceneResult
from .write_scene import NOTES

#: How many workers may die of a scene. Ray itself would give it to new ones for ever.
DEATHS = 3


class SceneWorker:
    """Predicts scenes in a process of its own.

    Args:
        settings: Arguments of :class:`mmpatch.apis.PatchPredictor`.
        folder: Where results go.
        options: Which files to write.
        threads: Threads that the worker computes with.
    """

    def __init__(
        self, settings: Mapping[str, Any], folder: str, options: OutputOptions, threads: int
    ) -> None:
        torch.set_num_threads(threads)
        self.predictor = PatchPredictor(**settings)
        self.folder = Path(folder)
        self.options = options

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Predict the scene of a row ``name``, ``path``; its files are written here.

        Returns:
            A row ``name``, ``result``, the latter as JSON: columns of all rows must have one type.
        """
        path, name = row['path'], row['name']
        tries = self.folder / NOTES / f'{name}.tries'  # it stays if the worker dies
        died = len(tries.read_bytes()) if tries.exists() else 0
        if died < DEATHS:
            result = self._attempt(path, name, tries, died + 1)
        else:
            text = f'{died} workers died of it: see the logs of Ray, and give workers more memory'
            result = SceneResult(path, 'failed', text)
        tries.unlink(missing_ok=True)
        return {'name': name, 'result': json.dumps(asdict(result))}

    def _attempt(self, path: str, name: str, tries: Path, number: int) -> SceneResult:
        try:
            write_atomic(tries, b'x' * number)
            return attempt(self.predictor, path, name, self.folder, self.options)
        except OSError as error:  # a full disk
            return SceneResult(path, 'failed', str(error))


def ray_scenes(
    settings: Mapping[str, Any],
    scenes: Mapping[str, str],
    folder: Path,
    options: OutputOptions,
    workers: int,
    show_progress: bool = True,
) -> list[SceneResult]:
    """Predict scenes as a pipeline of Ray Data.

    Each worker holds one model and predicts one scene at a time. It writes the files of its scenes
    itself, so all machines of the cluster have to see scenes and results under the same paths. Ray
    replaces a worker that dies, and its scene goes on with the first missing row. Scenes that failed
    are tried once more.

    Args:
        settings: Arguments of :class:`mmpatch.apis.PatchPredictor`.
        scenes: See :func:`mmpatch.apis.predict_scenes`.
        folder: Where results go.
        options: Which files to write.
        workers: Number of workers. Each takes a GPU where there are GPUs, else its part of the cores.
        show_progress: Show a progress line.

    Returns:
        A result per scene, in the order of the scenes.

    Raises:
        ImportError: If Ray is not installed.
        TypeError: See :class:`mmpatch.apis.PatchPredictor`.
        ValueError: See there, or if the model cannot give what the options ask for.
    """
    # A wrong config is to be told here, and not by a worker that is started again and again.
    options.check(PatchPredictor(**{**settings, 'device': 'cpu'}).task)
    ray = _started(workers)
    found: dict[str, SceneResult] = {}
    for attempt_name in ('Predicting', 'Trying again'):
        left = {
            name: path
            for name, path in scenes.items()
            if name not in found or found[name].state == 'failed'
        }
        if left:
            rows = _pipeline(ray, settings, left, folder, options, workers)
            for row in track(rows, attempt_name, len(left), disable=not show_progress):
                found[row['name']] = SceneResult(**json.loads(row['result']))
    return [found[name] for name in scenes]


def _pipeline(
    ray: Any,
    settings: Mapping[str, Any],
    scenes: Mapping[str, str],
    folder: Path,
    options: OutputOptions,
    workers: int,
) -> Any:
    """The rows of results of scenes, as they come."""
    gpus = 1 if ray.cluster_resources().get('GPU', 0) else 0
    cores = int(ray.cluster_resources().get('CPU', 1))
    threads = max(1, cores // workers)
    items = [dict(name=name, path=path) for name, path in scenes.items()]
    # A block per scene, and one at a time per worker: no scene waits behind a long one.
    data = ray.data.from_items(items, override_num_blocks=len(items))
    pool = ray.data.ActorPoolStrategy(
        size=min(workers, len(items)), max_tasks_in_flight_per_actor=1
    )
    return data.map(
        SceneWorker,
        fn_constructor_args=(dict(settings), str(folder.absolute()), options, threads),
        compute=pool,
        num_gpus=gpus,
        num_cpus=max(1, (cores - 1) // workers),  # Ray may need a core of its own
    ).iter_rows()


def _started(workers: int) -> Any:
    """Ray, connected to the cluster of ``RAY_ADDRESS`` or started on this machine."""
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImportError(
            f"--engine ray needs Ray Data ({error}): pip install 'mmpatch[ray]', or leave --engine "
            'out and predict in this process'
        ) from error
    if not ray.is_initialized():
        # Where workers outnumber cores, they share them.
        cores = max(len(os.sched_getaffinity(0)), workers + 1)
        local = {} if 'RAY_ADDRESS' in os.environ else {'num_cpus': cores}
        ray.init(log_to_driver=False, **local)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    return ray
