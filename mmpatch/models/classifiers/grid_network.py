"""Networks over the grid of patches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

#: Sides of grids that a network is tried on [patches].
TRIED_GRIDS = 64


def pooled(features: Tensor | Sequence[Tensor]) -> Tensor:
    """The last of the features, averaged over places; (K, D)."""
    last = features if isinstance(features, Tensor) else features[-1]
    return last.flatten(2).mean(dim=2) if last.ndim > 2 else last


@torch.no_grad()
def smallest_grid(network: nn.Module | None, channels: int | None) -> int:
    """Side of the smallest grid that a network takes [patches].

    Args:
        network: Takes Z (1, channels, m, n). None takes any grid.
        channels: Its input channels; None: not known, so nothing is tried.

    Raises:
        ValueError: If it takes no grid.
    """
    if network is None or channels is None:
        return 1
    training = network.training
    network.eval()
    error: Exception | None = None
    for side in range(1, TRIED_GRIDS + 1):
        try:
            pooled(network(torch.zeros(1, channels, side, side)))
        except (RuntimeError, ValueError) as found:
            error = found
        else:
            network.train(training)
            return side
    raise ValueError(
        f'{type(network).__name__} as theta2 takes no grid up to {TRIED_GRIDS} x {TRIED_GRIDS} '
        f'patches (the last error: {error})'
    )
