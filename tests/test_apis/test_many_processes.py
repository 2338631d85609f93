"""Scenes shared by processes, as one process predicts them."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mmpatch.apis import OutputOptions, PatchPredictor, predict_scenes
from mmpatch.apis.ray_scenes import DEATHS, SceneWorker, ray_scenes
from mmpatch.testing import run_forked

from .conftest import write_scene

Trained = Callable[..., tuple[Path, Path]]
ROOT = Path(__file__).parents[2]
TOOL = str(ROOT / 'tools/predict_raster.py')
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec('ray') is None, reason="needs Ray: pip install 'mmpatch[ray]'"
)


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    return subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def scenes_of(folder: Path, count: int) -> Path:
    """Scenes of about one size, a larger one, and one that is cut off."""
    folder.mkdir()
    for i in range(count):
        write_scene(folder / f's{i}.tif', 130, 130, seed=i)
    write_scene(folder / 'large.tif', 640, 400, seed=9)
    data = (folder / 's0.tif').read_bytes()
    (folder / 's0.tif').write_bytes(data[: len(data) // 2])
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == '.geojson'}


@pytest.mark.slow
def test_the_tool_alone_and_with_torchrun(trained: Trained, tmp_path: Path) -> None:
    scenes, files = scenes_of(tmp_path / 'in', 3), trained('detection')
    end = ['--device', 'cpu', '--formats', 'geojson']
    start = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2', TOOL]
    done = run(*start, *files, scenes, '--out', tmp_path / 'shared', *end)
    assert done.returncode == 1, done.stderr[-2000:]
    log = tmp_path / 'log'
    with pytest.raises(RuntimeError, match=r'predict_raster\.py .* ended with 1'):
        run_forked('predict_raster.py', *files, scenes, '--out', tmp_path / 'alone', *end, log=log)
    for text in (done.stdout, log.read_text()):
        lines = text.splitlines()
        assert sum('3 of 4 scenes predicted to' in line for line in lines) == 1
        assert sum('s0.tif: FAILED: ' in line for line in lines) == 1
        assert sum(' detections (' in line for line in lines) == 3
    found = contents(tmp_path / 'shared')
    assert found == contents(tmp_path / 'alone') and len(found) == 3
    (scenes / 's0.tif').unlink()
    run_forked('predict_raster.py', *files, scenes, '--out', tmp_path / 'shared', *end, log=log)
    assert log.read_text().count('(was there)') == 3


def test_the_tool_writes_the_table(trained: Trained, tmp_path: Path) -> None:
    write_scene(tmp_path / 'a.tif')
    words = [*trained('classification'), tmp_path / 'a.tif', '--out', tmp_path / 'out', '--explain']
    run_forked(
        'predict_raster.py', *words, '--device', 'cpu', '--fill', '7', '--bands', '2', '1', '0'
    )
    assert len((tmp_path / 'out/classes.csv').read_text().splitlines()) == 2
    assert (tmp_path / 'out/a.relevance.tif').is_file()


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--polygons'], 'leave it out, or give another config'),
        (['--workers', '2'], '--workers is a positive number'),
        (['--fill', 'median'], "fill='median': expected a number"),
        (['nothing-*.tif'], 'error: no file matches the pattern nothing-'),
    ],
)
def test_the_tool_tells_errors(
    words: list[str], message: str, trained: Trained, tmp_path: Path
) -> None:
    scene, files, log = write_scene(tmp_path / 'a.tif'), trained('detection'), tmp_path / 'log'
    words = [str(scene), *words] if words[0].startswith('-') else words
    with pytest.raises(RuntimeError, match=message):
        run_forked('predict_raster.py', *files, *words, '--out', tmp_path / 'out', log=log)


@needs_ray
@pytest.mark.slow
def test_ray_goes_on_after_the_death_of_a_worker(trained: Trained, tmp_path: Path) -> None:
    import ray

    scenes, (config, weights) = scenes_of(tmp_path / 'in', 5), trained('detection')
    paths = {path.stem: str(path) for path in sorted(scenes.iterdir())}
    settings = dict(config=str(config), checkpoint=str(weights), device='cpu')
    options = OutputOptions(('geojson',))
    predict_scenes(PatchPredictor(**settings), paths, tmp_path / 'alone', options, False)
    out, killed = tmp_path / 'out', []
    kill_once(out / '.made_from/large.lock', killed)
    try:
        results = ray_scenes(settings, paths, out, options, 2, False)
    finally:
        ray.shutdown()
    assert len(killed) == 1
    states = {name: result.state for name, result in zip(paths, results)}
    assert states.pop('s0') == 'failed' and set(states.values()) == {'done'}
    assert contents(out) == contents(tmp_path / 'alone') and len(contents(out)) == 5
    assert not list(out.glob('*.parts'))


def kill_once(lock: Path, killed: list[int]) -> None:
    """Kill the process that first works on a scene, as soon as it has one row."""

    def wait() -> None:
        while not killed:
            text = lock.read_text() if lock.exists() else ''
            rows = lock.parents[1] / f'{lock.stem}.parts'
            if text.isdecimal() and (rows / '0.npz').exists():
                os.kill(int(text), signal.SIGKILL)
                killed.append(int(text))
            time.sleep(0.002)

    threading.Thread(target=wait, daemon=True).start()


def test_without_ray(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'ray', None)
    config, weights = trained('classification')
    settings = dict(config=str(config), checkpoint=str(weights))
    with pytest.raises(ImportError, match=r"needs Ray Data .*: pip install 'mmpatch\[ray\]'"):
        ray_scenes(settings, {'a': 'a.tif'}, tmp_path, OutputOptions(), 2)
    with pytest.raises(ValueError, match='but the model of this config does classification'):
        ray_scenes(settings, {'a': 'a.tif'}, tmp_path, OutputOptions(png=True), 2)


def test_a_scene_that_kills_its_workers_is_given_up(trained: Trained, tmp_path: Path) -> None:
    """Without Ray: what a worker finds that those before it left."""
    config, weights = trained('classification')
    settings = dict(config=str(config), checkpoint=str(weights), device='cpu')
    out, scene = tmp_path / 'out', str(write_scene(tmp_path / 'a.tif'))
    worker = SceneWorker(settings, str(out), OutputOptions(), 1)
    tries = out / '.made_from/a.tries'
    states = []
    for died in (DEATHS, DEATHS - 1, 0):
        tries.parent.mkdir(parents=True, exist_ok=True)
        tries.write_bytes(b'x' * died)
        states.append(json.loads(worker(dict(name='a', path=scene))['result']))
        assert not tries.exists()
    assert [state['state'] for state in states] == ['failed', 'done', 'there']
    assert states[0]['text'].startswith('3 workers died of it: see the logs of Ray')
