"""Calls of theta1 whose backward pass comes later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from mmpatch.patching import Features


@dataclass(frozen=True)
class RandomState:
    """The state of torch's random number generators that dropout reads."""

    host: Tensor
    device: Tensor | None

    @classmethod
    def capture(cls) -> RandomState:
        """The state now."""
        device = torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None
        return cls(torch.get_rng_state(), device)

    def restore(self) -> None:
        """Go back to this state."""
        torch.set_rng_state(self.host)
        if self.device is not None:
            torch.cuda.set_rng_state(self.device)

    @contextmanager
    def borrowed(self) -> Iterator[None]:
        """Use this state for a while and go on with the present one after it."""
        present = RandomState.capture()
        self.restore()
        try:
            yield
        finally:
            present.restore()


class Encoding:
    """One call of theta1, to be run backward when the gradient of its features is known.

    Its graph is kept, or is made by a second call with the same random state. Without kept graphs
    no more than the graph of one chunk exists at a time; the price is one more forward pass.

    Args:
        forward: Calls theta1 with gradient.
        random_state: The random state before the first call.
        graph: The features of the first call, if it kept its graph.
        patches: Patches that were encoded.

    Attributes:
        kept: Patches whose graph was kept from the first call on.
    """

    def __init__(
        self,
        forward: Callable[[], Features],
        random_state: RandomState,
        graph: Features | None = None,
        patches: int = 0,
    ) -> None:
        self._forward = forward
        self._random_state = random_state
        self._graph = graph
        self.kept = 0 if graph is None else patches

    def with_graph(self) -> Features:
        """The features with their graph, which is kept until :meth:`backward`."""
        if self._graph is None:
            with self._random_state.borrowed():
                self._graph = self._forward()
        return self._graph

    def backward(self, gradients: Features) -> None:
        """Push the gradient with respect to the features on into theta1, and free the graph."""
        features, self._graph = self.with_graph(), None
        pairs = [(f, g) for f, g in zip(features, gradients) if f.requires_grad]
        if pairs:
            torch.autograd.backward([f for f, _ in pairs], [g for _, g in pairs])


class GlobalEncoding:
    """The same for the global patches, whose features are leaves that collect their gradient.

    Args:
        features: Features of the global patches, (B, D_l, g_l, g_l) per level; None without them.
        encoding: The call that gave them. None if they came from a call that gave local patches
            as well; its backward pass takes :meth:`gradients` along.
    """

    def __init__(self, features: Features | None = None, encoding: Encoding | None = None) -> None:
        self.features = None if features is None else tuple(f.requires_grad_() for f in features)
        self._encoding = encoding

    def gradients(self) -> Features:
        """What was collected, a tensor per level."""
        features = self.features or ()
        return tuple(torch.zeros_like(f) if f.grad is None else f.grad for f in features)

    def backward(self) -> None:
        """Push what was collected on into theta1, once all has been scored."""
        if self._encoding is not None:
            self._encoding.backward(self.gradients())
