"""Imports the host libraries without the lines that they print about packages nobody asked for.

The subpackages of mmpatch that need the hosts' data sets or metrics import this module first. It
silences the hosts' known lines only; whatever else is said during the imports comes through.
"""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stdout
from importlib import import_module

#: The modules that say something when they are imported.
NOISY = ('mmdet.datasets', 'mmdet.evaluation', 'mmseg.datasets', 'mmpretrain.datasets')
#: The maintained builds print these although the level of the message is DEBUG: without a logger,
#: mmengine's ``print_log`` prints at any level.
PRINTED = ('Could not import OneDL', 'Could not import OneDL. Skipping OneDL datasets.')
#: mmdet warns of a metric that no config of ours uses.
WARNED = 'faster_coco_eval is not installed'


def import_hosts() -> None:
    """Import :data:`NOISY`; later imports of these modules say nothing any more."""
    with redirect_stdout(io.StringIO()) as said, warnings.catch_warnings():
        warnings.filterwarnings('ignore', message=WARNED)
        for name in NOISY:
            import_module(name)
    for line in said.getvalue().splitlines():
        if line not in PRINTED:
            print(line)  # noqa: T201


import_hosts()
