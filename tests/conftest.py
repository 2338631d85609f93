"""Fixtures shared by all tests."""

from __future__ import annotations

import pytest
import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config

import mmpatch.datasets
import mmpatch.engine
import mmpatch.evaluation
import mmpatch.models
import mmpatch.visualization  # noqa: F401
from mmpatch.testing import run_forked

torch.set_num_threads(1)  # tiny tensors; more threads only wait for each other


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that have slow tests: a long file that starts last has no company."""
    slow = {item.path for item in items if item.get_closest_marker('slow')}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _mmdet_scope() -> None:
    """Resolve unscoped names in mmdet, as a config with default_scope='mmdet' does."""
    register_all_modules(init_default_scope=True)


@pytest.fixture(autouse=True)
def _quick_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes longer than small trainings is left out: asking compilers, and formatting configs."""
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)
    monkeypatch.setattr(Config, 'pretty_text', property(_plain_text))


@pytest.fixture
def forked_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons fork what they start, which imports nothing anew; what it takes is not measured."""
    monkeypatch.setattr('mmpatch.comparison.runs.run_tool', run_forked)


def _plain_text(cfg: Config) -> str:
    return ''.join(f'{key} = {value!r}\n' for key, value in cfg.to_dict().items())
