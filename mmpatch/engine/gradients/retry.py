"""Going on with smaller chunks where memory runs out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import torch
from mmengine.logging import print_log

from mmpatch.engine.memory.meter import release_unused

from .base import BatchContext
from .replay import RandomState

T = TypeVar('T')


def with_smaller_chunks(
    context: BatchContext, chunk_size: int, run: Callable[[int], T]
) -> tuple[T, int]:
    """Run something; where the device has not enough memory, again with half the chunk.

    Gradients that wait for a step are set aside and added again, so a repeated run leaves what one
    run would have left.

    Args:
        context: The batch.
        chunk_size: Patches of a chunk at first.
        run: Takes the size of a chunk; may add to gradients, but makes no step.

    Returns:
        What ``run`` returned and the chunk size that it took.

    Raises:
        RuntimeError: If memory does not suffice for a chunk of one patch.
    """
    parameters = context.parameters
    waiting = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    state = RandomState.capture()
    while True:
        result, error = _attempt(run, chunk_size)
        if error is None:
            break
        if chunk_size == 1:
            raise RuntimeError(
                'out of memory with one patch at a time: use a smaller model.patch_size or a '
                "smaller batch, or keep the latent on the host (latent=dict(device='cpu') of the "
                f'gradient). The device said: {error}'
            )
        chunk_size //= 2
        print_log(
            f'out of memory: the step is repeated, and the training goes on, with {chunk_size} '
            'patch(es) with gradient at a time',
            logger='current',
            level=logging.WARNING,
        )
        for parameter in parameters:
            parameter.grad = None
        state.restore()
        release_unused(parameters[0].device)
    for parameter, grad in zip(parameters, waiting):
        if grad is not None:
            parameter.grad = grad if parameter.grad is None else grad.add_(parameter.grad)
    return result, chunk_size  # type: ignore[return-value]


def _attempt(run: Callable[[int], T], chunk_size: int) -> tuple[T | None, str | None]:
    """The result, or what the device said if it was out of memory; keeps no traceback alive."""
    try:
        return run(chunk_size), None
    except (torch.cuda.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return None, str(error).splitlines()[0] if str(error) else type(error).__name__


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception says that a GPU or the host ran out of memory."""
    return isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)) or (
        "can't allocate memory" in str(error) or 'not enough memory' in str(error)
    )
