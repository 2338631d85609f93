"""Fixtures shared by all tests."""

from __future__ import annotations

import pytest
import torch
from mmdet.utils import register_all_modules

import mmpatch.datasets
import mmpatch.engine
import mmpatch.evaluation
import mmpatch.models
import mmpatch.visualization  # noqa: F401

torch.set_num_threads(1)  # tiny tensors; more threads only wait for each other


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that have slow tests: a long file that starts last has no company."""
    slow = {item.path for item in items if item.get_closest_marker('slow')}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _mmdet_scope() -> None:
    """Resolve unscoped names in mmdet, as a config with default_scope='mmdet' does."""
    register_all_modules(init_default_scope=True)
