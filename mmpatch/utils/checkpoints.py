"""Reading checkpoints without running what they hold."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from functools import cache
from importlib import import_module
from inspect import isfunction
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

#: Names of Python's module of builtins, in pickles of protocol 2 and later ones.
BUILTINS = ('__builtin__', 'builtins')


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of mmengine: weights, optimizer, and what the training logged.

    A checkpoint is a pickle, which may run any code. Here it may make tensors, arrays, numbers,
    and mmengine's histories of logged values, nothing else.

    Args:
        path: The file.

    Raises:
        ValueError: If it holds anything else.
    """
    torch.serialization.add_safe_globals(_allowed())
    try:
        found: dict[str, Any] = torch.load(path, map_location='cpu', weights_only=True)
    except UnpicklingError as error:
        reason = _reason(str(error))
        raise ValueError(
            f'{path} holds more than weights and numbers, which could run code when it is read: '
            f'{reason}. If you trust where it comes from, keep its state_dict only and save that '
            'as the checkpoint'
        ) from error
    return found


def _reason(message: str) -> str:
    """The line of PyTorch's message that is not advice to load the file all the same."""
    text = message.partition('WeightsUnpickler error:')[2] or message
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if 'GLOBAL' in line), lines[0]).rstrip('.')


@cache  # PyTorch keeps all that it was ever given
def _allowed() -> list[Any]:
    """What a checkpoint may name, beside what PyTorch allows."""
    dtypes = {type(np.dtype(code)) for code in '?bBhHiIlLqQefdFDSUO'}
    return [
        HistoryBuffer,
        np.ndarray,
        np.dtype,
        *dtypes,
        codecs.encode,  # bytes of an array of numpy; later versions of PyTorch allow it themselves
        # Whichever version of numpy or Python wrote the file.
        *(
            _named(_of_numpy(name), f'numpy.{core}.multiarray', name)
            for core in ('core', '_core')
            for name in ('_reconstruct', 'scalar')
        ),
        *(_named(_statistic, module, 'getattr') for module in BUILTINS),
    ]


def _statistic(owner: Any, name: str) -> Any:
    """``getattr`` for the statistics that a history of logged values names, and nothing else.

    Raises:
        UnpicklingError: If it is anything else.
    """
    found = vars(HistoryBuffer).get(name) if owner is HistoryBuffer else None
    if name.startswith('_') or not isfunction(found):
        raise UnpicklingError(f'getattr({owner!r}, {name!r}) is not allowed')
    return found


def _of_numpy(name: str) -> Any:
    """One of numpy's functions that make what was pickled."""
    core = import_module(
        'numpy._core.multiarray' if np.__version__ >= '2' else 'numpy.core.multiarray'
    )
    return getattr(core, name)


def _named(function: Callable[..., Any], module: str, name: str) -> Callable[..., Any]:
    """A function under the name that a pickle has for it."""

    def call(*args: Any) -> Any:
        return function(*args)

    call.__module__ = module
    call.__name__ = call.__qualname__ = name
    return call
