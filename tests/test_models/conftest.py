"""Stands in for a GPU that mmcv was not compiled for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor


class SaysCuda(Tensor):
    """A tensor in host memory that says it is on a GPU, and so do results computed from it.

    mmcv's CUDA operators refuse it with the message of a build for the CPU.
    """

    is_cuda = True  # type: ignore[assignment]


@pytest.fixture
def on_bare_gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[Tensor], Tensor]:
    """Return what puts a tensor onto the pretended GPU."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)  # for mmengine's logger
    monkeypatch.setattr(
        'mmpatch.models.operators.get_compiling_cuda_version', lambda: 'not available'
    )
    return lambda tensor: tensor.as_subclass(SaysCuda)
