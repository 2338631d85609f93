"""Going on with fewer patches in memory where it runs out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from mmengine.logging import print_log

from mmpatch.utils.memory import is_out_of_memory, release_unused

from .encoding import RandomState
from .passes import Passes
from .workload import Workload

T = TypeVar('T')


def with_less_work(
    passes: Passes, work: Workload, run: Callable[[Workload], T]
) -> tuple[T, Workload]:
    """Run something; where the device has not enough memory, again with fewer patches in it.

    Gradients that wait for a step are set aside and added again. So a repeated run leaves the same
    gradients as one run. Ranks that share patches wait for each other within a run, so that none can
    repeat its own.

    Args:
        passes: The batch; ``run`` adds to the gradients of its parameters.
        work: The patches in memory at first.
        run: Takes a workload; may add to gradients, but makes no step.

    Returns:
        The result of ``run`` and the workload that it took.

    Raises:
        RuntimeError: If memory does not suffice for one patch at a time, or in a group of ranks.
    """
    if passes.group.size > 1:
        return run(work), work
    parameters = passes.stepper.parameters
    waiting = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    state = RandomState.capture()
    while True:
        result, error = _attempt(run, work)
        if error is None:
            break
        smaller = work.smaller()
        if smaller is None:
            raise RuntimeError(
                'out of memory with one patch at a time: use a smaller model.patch_size or a '
                "smaller batch, or keep the latent on the host (latent=dict(device='cpu') of the "
                f'gradient). The device said: {error}'
            )
        work = smaller
        print_log(
            f'out of memory: the step is repeated, and the training goes on, with {work}',
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
    return result, work  # type: ignore[return-value]


def _attempt(run: Callable[[Workload], T], work: Workload) -> tuple[T | None, str | None]:
    """The result, or what the device said if it was out of memory; keeps no traceback alive."""
    try:
        return run(work), None
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return None, str(error).splitlines()[0] if str(error) else type(error).__name__
