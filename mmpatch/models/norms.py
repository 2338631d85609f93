"""Freezing, and normalisation layers whose statistics must not depend on the patches seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase


class HasModules(Protocol):
    """A module of torch, or the part of its interface that is read here."""

    def named_modules(self) -> Iterator[tuple[str, nn.Module]]:
        """All submodules with their names."""


def freeze(model: nn.Module, names: Sequence[str]) -> None:
    """Train no parameter of the submodules with these names.

    Raises:
        AttributeError: If the model has no submodule of that name.
    """
    for name in names:
        model.get_submodule(name).requires_grad_(False)


def fix_norms(model: HasModules) -> None:
    """Put all BatchNorm layers into evaluation mode."""
    for _, module in model.named_modules():
        if isinstance(module, _BatchNorm):
            module.eval()


def training_norms(model: HasModules) -> list[str]:
    """Names of the BatchNorm layers that are in training mode.

    Such a layer normalises each patch by the few patches that happen to share its chunk. Fill and
    gradient pass then see different statistics. Use GroupNorm, or ``norm_eval=True``.
    """
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.training
    ]


@contextmanager
def without_statistics(model: HasModules) -> Iterator[None]:
    """Leave the running statistics of normalisation layers as they are.

    Layers in training mode still normalise by the statistics of their input, as they will in the
    gradient pass.
    """
    modules = [m for _, m in model.named_modules() if isinstance(m, _NormBase) and m.training]
    tracking = [module.track_running_stats for module in modules]
    try:
        for module in modules:
            module.track_running_stats = False
        yield
    finally:
        for module, value in zip(modules, tracking):
            module.track_running_stats = value
