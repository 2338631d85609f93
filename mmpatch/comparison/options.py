"""Settings of the command line, ``key=value``."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Read settings as ``--cfg-options`` of OpenMMLab's tools reads them.

    Args:
        options: Such as ``'model.patch_size=256'``.
    """
    if not options:
        return {}
    parser = ArgumentParser()
    parser.add_argument('--options', nargs='+', action=DictAction)
    found: dict[str, Any] = parser.parse_args(['--options', *options]).options
    return found
