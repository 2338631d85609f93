"""Data where the configs look for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from .small_data import make_data


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('every')
    make_data(root)
    return root
