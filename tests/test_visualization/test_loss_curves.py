"""Logs of one or several launches, and their curves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmpatch.visualization.loss_curves import plot_losses, read_logs, read_scalars, smooth


def launch(work_dir: Path, stamp: str, steps: range, value: float = 1.0, tail: str = '') -> Path:
    """Write the log of one launch as mmengine does; validation every tenth step."""
    path = work_dir / stamp / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    for step in steps:
        rows.append(dict(lr=0.1 / step, loss=value, loss_cls=value / 2, iter=step, step=step))
        if step % 10 == 0:
            rows.append({'coco/bbox_mAP': 0.5, 'step': step // 10})
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows) + tail)
    return path


def test_a_resumed_training_is_one_curve(tmp_path: Path) -> None:
    launch(tmp_path, '20260101_000000', range(1, 31), 3.0)
    launch(tmp_path, '20260101_010000', range(21, 41), 2.0)
    (tmp_path / '20260101_020000' / 'vis_data').mkdir(parents=True)  # a test run: no scalars
    [log] = read_logs([tmp_path])
    steps, losses = log.curve('loss')
    assert steps.tolist() == list(range(1, 41))
    assert losses.tolist() == [3.0] * 20 + [2.0] * 20
    assert log.keys() == ['loss', 'loss_cls']
    assert log.curve('never')[0].shape == (0,)


def test_a_training_started_anew_replaces_the_old_one(tmp_path: Path) -> None:
    launch(tmp_path, '20260101_000000', range(1, 31), 3.0)
    launch(tmp_path, '20260101_010000', range(1, 11), 2.0)
    [log] = read_logs([tmp_path])
    assert log.curve('loss')[1].tolist() == [2.0] * 10


def test_files_and_folders_of_one_launch(tmp_path: Path) -> None:
    path = launch(tmp_path / 'run', '20260101_000000', range(1, 5))
    launch(tmp_path / 'run', '20260101_010000', range(5, 9))
    for place in (path, path.parent, path.parents[1]):
        [log] = read_logs([place])
        assert log.curve('loss')[0].tolist() == [1, 2, 3, 4]


def test_names_differ(tmp_path: Path) -> None:
    for run in ('a/x', 'b/x', 'c/y'):
        launch(tmp_path / run, '20260101_000000', range(1, 3))
    names = [log.name for log in read_logs([tmp_path / run for run in ('a/x', 'b/x', 'c/y')])]
    assert names == ['a/x', 'b/x', 'c/y']
    assert [log.name for log in read_logs([tmp_path / 'a/x', tmp_path / 'c/y'])] == ['x', 'y']
    assert len({log.name for log in read_logs([tmp_path / 'a/x'] * 2)}) == 2


def test_a_line_cut_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = launch(tmp_path, '20260101_000000', range(1, 5), tail='{"loss": 0.')
    assert len(read_scalars(path)) == 4


@pytest.mark.parametrize(
    ('line', 'message'), [('{"loss": \n', 'line 5, is not JSON'), ('[1]\n', 'is not a JSON object')]
)
def test_damaged_logs(tmp_path: Path, line: str, message: str) -> None:
    path = launch(tmp_path, '20260101_000000', range(1, 5), tail=line + '{"loss": 1, "step": 9}\n')
    with pytest.raises(ValueError, match=message):
        read_scalars(path)


def test_smoothing_keeps_means_and_skips_what_is_not_finite() -> None:
    assert smooth(np.full(50, 2.0)).tolist() == [2.0] * 50
    noise = np.random.default_rng(0).normal(size=400)
    assert smooth(noise).std() < 0.4
    assert smooth(np.arange(100.0))[50] == 50
    values = np.ones(100)
    values[40] = np.nan
    assert smooth(values).tolist() == [1.0] * 100
    assert smooth(np.zeros(0)).shape == (0,)
    assert smooth(np.array([3.0, 1.0])).tolist() == [3, 1]


def test_plot(tmp_path: Path) -> None:
    for run in ('a', 'b'):
        launch(tmp_path / run, '20260101_000000', range(1, 30))
    one = plot_losses([tmp_path / 'a'], tmp_path / 'new' / 'one.png')
    two = plot_losses([str(tmp_path / 'a'), tmp_path / 'b'], tmp_path / 'two.png', ['loss_cls'])
    for path in (one, two):
        pixels = np.asarray(Image.open(path))
        assert pixels.shape[:2] == (845, 1300)
        assert pixels.std() > 5


def test_nothing_to_plot(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='no work dir given'):
        plot_losses([], tmp_path / 'x.png')
    with pytest.raises(
        FileNotFoundError, match=r'no log at .*expected a work dir with <timestamp>'
    ):
        plot_losses([tmp_path], tmp_path / 'x.png')
    launch(tmp_path / 'a', '20260101_000000', range(1, 3))
    with pytest.raises(ValueError, match="'loss_box' was never logged; there is: iter, loss,"):
        plot_losses([tmp_path / 'a'], tmp_path / 'x.png', ['loss_box'])
    launch(tmp_path / 'b', '20260101_000000', range(0))
    with pytest.raises(ValueError, match='holds no losses'):
        plot_losses([tmp_path / 'b'], tmp_path / 'x.png')
