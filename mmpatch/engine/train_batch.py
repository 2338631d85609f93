"""One batch, from the data loader to the optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from .gradients.passes import Passes
from .gradients.strategy import GradientStrategy
from .mesh import PatchGroup
from .monitor import Monitor
from .stepper import Stepper

#: Gives the flat patch numbers of each inner iteration, from rows and columns of each image's patches.
Draw = Callable[[list[Tensor]], list[Tensor]]


def train_batch(
    model: Any,
    data: dict[str, Any],
    gradient: GradientStrategy,
    draw: Draw,
    stepper: Stepper,
    monitor: Monitor | None = None,
    group: PatchGroup | None = None,
) -> dict[str, Tensor]:
    """Train on one batch: cut it, draw patches, and let the gradient strategy do the rest.

    The train loops, the benchmark and the verification of gradients all train by this function.

    Args:
        model: A :class:`mmpatch.models.PatchModel`, without a distributed wrapper.
        data: A batch of the data loader: ``inputs`` and ``data_samples``.
        gradient: How the gradient is computed.
        draw: Draws patches; called only if the strategy samples.
        stepper: Makes backward passes and steps.
        monitor: Notes time and memory.
        group: The ranks that share the patches of the batch; None: this one alone.

    Returns:
        Losses of the batch, for the log.
    """
    passes, draws = prepare_batch(model, data, gradient, draw, stepper, monitor, group)
    return gradient(passes, draws)


def prepare_batch(
    model: Any,
    data: dict[str, Any],
    gradient: GradientStrategy,
    draw: Draw,
    stepper: Stepper,
    monitor: Monitor | None = None,
    group: PatchGroup | None = None,
) -> tuple[Passes, list[Tensor]]:
    """The first half of :func:`train_batch`: the cut batch, and its draws."""
    data = model.data_preprocessor(data, True)
    batch = model.cut(data['inputs'], data['data_samples'])
    names = [str(s.metainfo.get('img_path', '(unnamed image)')) for s in data['data_samples']]
    monitor = monitor or Monitor()
    monitor.known = stepper.parameters
    monitor.memory['image'] = sum(image.nbytes for image in batch.images)
    places = [batch.places_of(image) for image in range(batch.num_images)]
    draws = draw(places) if gradient.samples else []
    return Passes(model, batch, stepper, monitor, names, group), draws
