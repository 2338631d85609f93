"""NMS equals mmcv's, on a GPU that mmcv was not compiled for too."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import mmcv.ops
import pytest
import torch
from mmengine.config import ConfigDict
from torch import Tensor

from mmpatch.models.operators import compiled_for, nms, with_portable_nms

Move = Callable[[Tensor], Tensor]


def _boxes() -> tuple[Tensor, Tensor]:
    """Make boxes of which many overlap, with scores that all differ."""
    generator = torch.Generator().manual_seed(0)
    corner = 40 * torch.rand(200, 2, generator=generator)
    size = 5 + 20 * torch.rand(200, 2, generator=generator)
    return torch.cat([corner, corner + size], dim=1), torch.rand(200, generator=generator)


@pytest.fixture
def _no_mmcv_nms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let mmcv's operator fail as in a build for the CPU."""

    def missing(*_: Any) -> Tensor:
        raise RuntimeError('nms_impl: implementation for device cuda:0 not found.')

    # `mmcv.ops.nms` is the function, which hides its module.
    monkeypatch.setattr(sys.modules['mmcv.ops.nms'].NMSop, 'apply', missing)


def test_operators_of_a_cpu_build_do_not_run_on_a_gpu(on_bare_gpu: Move) -> None:
    boxes, _ = _boxes()
    assert compiled_for(boxes)
    assert not compiled_for(on_bare_gpu(boxes))


def test_operators_of_a_cuda_build_run_on_a_gpu(
    on_bare_gpu: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('mmpatch.models.operators.get_compiling_cuda_version', lambda: '13.0')
    assert compiled_for(on_bare_gpu(_boxes()[0]))


@pytest.mark.parametrize(
    'settings',
    [
        {},
        {'offset': 1},
        {'score_threshold': 0.5},
        {'max_num': 7},
        {'score_threshold': 0.3, 'max_num': 5, 'offset': 1},
    ],
)
def test_nms_is_mmcvs(
    settings: dict[str, Any], on_bare_gpu: Move, request: pytest.FixtureRequest
) -> None:
    boxes, scores = _boxes()
    expected, kept = mmcv.ops.nms(boxes, scores, 0.4, **settings)
    assert 2 < len(kept) < 100
    torch.testing.assert_close(nms(boxes, scores, 0.4, **settings), (expected, kept))

    request.getfixturevalue('_no_mmcv_nms')
    boxes, scores = on_bare_gpu(boxes), on_bare_gpu(scores)
    with pytest.raises(RuntimeError, match='implementation for device cuda:0 not found'):
        mmcv.ops.nms(boxes, scores, 0.4, **settings)
    found, numbers = nms(boxes, scores, 0.4, **settings)
    torch.testing.assert_close(found.as_subclass(Tensor), expected)
    torch.testing.assert_close(numbers.as_subclass(Tensor), kept)


def test_nms_of_no_box(on_bare_gpu: Move) -> None:
    found, kept = nms(on_bare_gpu(torch.zeros(0, 4)), on_bare_gpu(torch.zeros(0)), 0.5)
    assert found.shape == (0, 5)
    assert kept.shape == (0,)


@pytest.mark.usefixtures('_no_mmcv_nms')
@pytest.mark.parametrize('split_thr', [10000, 50])
def test_mmcv_takes_the_portable_settings(split_thr: int, on_bare_gpu: Move) -> None:
    boxes, scores = map(on_bare_gpu, _boxes())
    labels = torch.arange(200) % 3
    cfg = ConfigDict(nms=dict(type='nms', iou_threshold=0.4, split_thr=split_thr), max_per_img=100)
    portable = with_portable_nms(cfg)
    found, kept = mmcv.ops.batched_nms(boxes, scores, labels, portable.nms)
    assert 10 < len(kept) < 150
    for label in range(3):
        own = labels[kept] == label
        expected, _ = nms(boxes[labels == label], scores[labels == label], 0.4)
        torch.testing.assert_close(found[own], expected)
    assert cfg.nms.type == 'nms'  # the caller's settings are left alone
    assert portable.max_per_img == 100


@pytest.mark.parametrize('cfg', [{'score_thr': 0.1}, {'nms': {'type': 'soft_nms'}}, {'nms': None}])
def test_other_settings_stay(cfg: dict[str, Any]) -> None:
    assert with_portable_nms(cfg) == cfg
