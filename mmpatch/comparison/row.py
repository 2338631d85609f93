"""A row of a table: a config, and what differs from it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from .options import parse_options
from .places import shown, workshop


@dataclass(frozen=True)
class Row:
    """A row of a table: a config, and the settings in which the row differs from it.

    Args:
        config: The config's file. In a suite: its path in ``configs``, without ``.py``.
        overrides: ``key=value`` settings, as ``--cfg-options`` takes them.
        variant: What the overrides make of the config; the row's name ends in it.
    """

    config: str | Path
    overrides: tuple[str, ...] = ()
    variant: str = ''

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name of the row, and of its runs."""
        return Path(self.config).name.removesuffix('.py') + self.variant

    def load(self) -> Config:
        """The config with its overrides."""
        cfg = Config.fromfile(self.config)
        cfg.merge_from_dict(parse_options(self.overrides))
        return cfg

    def command(self) -> str:
        """The command line that trains this row alone."""
        words = ['python', shown(workshop() / 'tools/train.py'), shown(Path(self.config))]
        if self.overrides:
            words += ['--work-dir', f'work_dirs/{self.name}', '--cfg-options', *self.overrides]
        return shlex.join(words)
