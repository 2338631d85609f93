"""Processes that share scenes write what one process writes, and one of them knows all results."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch

from mmpatch.apis import OutputOptions, PatchPredictor, predict_scenes
from mmpatch.apis.share_scenes import Ranks, share_scenes

from .conftest import write_scene

Trained = Callable[..., tuple[Path, Path]]
SIZES = dict(a=(130, 130), b=(60, 60), large=(640, 300), c=(70, 140), cut=(130, 130))
WRITTEN = ('.geojson', '.json', '.tif')


def in_process(rank: int, size: int, port: int, out: Path, *arguments: Any) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), MASTER_PORT=str(port))
    os.environ.update(MASTER_ADDR='127.0.0.1')
    torch.set_num_threads(1)  # threads of OpenMP do not survive a fork
    ranks, (predictor, scenes, folder, options) = Ranks.started(), arguments
    encoded = []
    encode = predictor.model.encode
    predictor.model.encode = lambda b, i: (encoded.append(len(i)), encode(b, i))[1]
    results = share_scenes(predictor, scenes, folder, options, ranks)
    out.mkdir(exist_ok=True)
    found = [sum(encoded), [asdict(result) for result in results]]
    (out / f'{rank}.json').write_text(json.dumps(found))
    os._exit(0)  # Python's own end of a process that a thread forked is an error


def together(size: int, out: Path, *arguments: Any) -> list[Any]:
    """What each process encoded, and its results."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    context = get_context('fork')
    processes = [
        context.Process(target=in_process, args=(rank, size, port, out, *arguments))
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(100)
    return [json.loads((out / f'{rank}.json').read_text()) for rank in range(size)]


@pytest.mark.parametrize('size', [2, 3])
@pytest.mark.parametrize('task', ['detection', 'segmentation', 'classification'])
def test_as_one_process(task: str, size: int, trained: Trained, tmp_path: Path) -> None:
    scenes = {}
    for seed, (name, (height, width)) in enumerate(SIZES.items()):
        scenes[name] = str(write_scene(tmp_path / f'{name}.tif', height, width, seed))
    data = Path(scenes['cut']).read_bytes()
    Path(scenes['cut']).write_bytes(data[: len(data) // 2])
    predictor = PatchPredictor(*trained(task), device='cpu')
    options = OutputOptions(explain=task == 'classification')
    alone = predict_scenes(predictor, scenes, tmp_path / 'alone', options, False)
    arguments = (predictor, scenes, tmp_path / 'shared', options)
    found = together(size, tmp_path / 'notes', *arguments)
    assert not any(results for _, results in found[1:])
    for one, other in zip(found[0][1], alone, strict=True):
        expected = json.loads(json.dumps(asdict(other)))
        assert one | {'seconds': 0} == expected | {'seconds': 0}
    assert [one['state'] for one in found[0][1]] == ['done'] * 4 + ['failed']
    for path in (tmp_path / 'alone').iterdir():
        if path.suffix in WRITTEN:
            assert (tmp_path / 'shared' / path.name).read_bytes() == path.read_bytes()
    # The large scene has 50 of 75 patches: two processes share it, with rows of neighbours in both.
    assert max(count for count, _ in found) < 60


def test_rows_are_shared_without_gaps() -> None:
    for count in (0, 1, 2, 7, 30):
        rows = [Ranks(rank, 3).rows(count) for rank in range(3)]
        assert [row for part in rows for row in part] == list(range(count))


def test_alone_without_torchrun() -> None:
    assert Ranks.started() == Ranks(0, 1)
