"""Data where the configs look for it, and runners that waste no time."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from .small_data import make_data


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('every')
    make_data(root)
    return root


@pytest.fixture
def quick_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    # What takes longer than these trainings: asking compilers for the log, and formatting configs
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)
    monkeypatch.setattr(Config, 'pretty_text', property(_plain_text))


def _plain_text(cfg: Config) -> str:
    return ''.join(f'{key} = {value!r}\n' for key, value in cfg.to_dict().items())
