"""Gradients in the memory of a chunk: encode, score, and go back through theta1."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from mmpatch.models.protocol import Totals
from mmpatch.patching import Features, Latent

from .base import BatchContext, without_statistics


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


class ReplayPass:
    """The gradient of one loss, with Z as a leaf between theta1 and theta2.

    Patches are encoded and remembered; theta2 and the loss run on what is remembered of them, part
    by part, and their backward pass leaves the gradient with respect to it; that gradient is then
    pushed on into theta1. The same goes for the global patches.

    Where the graphs through theta1 would take too much memory, patches are encoded without one,
    and once more with the same random state when their gradient is there. Then no more than the
    graph of one part exists at a time; the cost is one more forward pass of theta1.

    Args:
        context: The batch.
        latent: Remembers what is encoded.
        collected: Patches that carry gradient; None: all.
        keep: Keep the graphs through theta1 instead of encoding twice.
    """

    def __init__(
        self,
        context: BatchContext,
        latent: Latent,
        collected: Tensor | None = None,
        keep: bool = False,
    ) -> None:
        self.context = context
        self.latent = latent
        self.collected = collected
        self.keep = keep
        self.totals: Totals | None = None
        self._sums: list[Totals] = []
        self.loss: Tensor | None = None
        self.losses: dict[str, Tensor] = defaultdict(lambda: torch.zeros(()))
        self._states: dict[int, RandomState] = {}
        self._graphs: dict[int, Features] = {}
        self._global_state = RandomState.capture()
        model, batch = context.model, context.batch
        self._global = self._forward(lambda: model.encode_global(batch), with_graph=keep)
        self.around: Features | None = None
        if self._global is not None:
            self.around = tuple(x.detach().requires_grad_() for x in self._global)

    def encode(self, part: Tensor) -> None:
        """Encode patches (K,) and remember their features."""
        model, batch = self.context.model, self.context.batch
        first = int(part[0])
        self._states[first] = RandomState.capture()
        with self.context.counted('theta1') if self.keep else nullcontext():
            features = self._forward(lambda: model.encode(batch, part), with_graph=self.keep)
        assert features is not None
        if self.keep:
            self._graphs[first] = features
        self.latent.write(part, features)
        if self.latent.gradients is None:
            self.latent.collect(self.collected, features)
            self.context.memory['latent'] = self.latent.nbytes

    def measure(self, part: Tensor) -> None:
        """Note what patches (S,) add to the sums that the loss of any patch needs to know."""
        model = self.context.model
        with self._precision(), torch.no_grad():
            sums = model.measure(self.context.batch, self.latent, self.around, part)
        self._sums.append(sums)

    def encode_again(self, part: Tensor) -> None:
        """Encode patches (K,) as before, now with their graph."""
        self.latent.write(part, self._with_graph(part))

    def score(self, part: Tensor) -> None:
        """theta2 and the loss of patches (S,), and backward to what is remembered."""
        model, batch = self.context.model, self.context.batch
        if self._sums and self.totals is None:
            self.totals = model.totals(batch, self._sums)
        with self._precision(), self.context.counted('theta2'):
            losses = model.loss_at(batch, self.latent, self.around, part, self.totals)
        loss, logged = model.parse_losses(losses)
        self.context.backward(loss)
        self.loss = loss.detach() if self.loss is None else self.loss + loss.detach()
        for name, value in logged.items():
            self.losses[name] = value.detach() + self.losses[name].to(value.device)

    def replay(self, part: Tensor) -> None:
        """Go on backward through theta1 from what was collected for patches (K,)."""
        features = self._with_graph(part)
        first = int(part[0])
        del self._graphs[first], self._states[first]
        _push(features, self.latent.gradient(part))

    def replay_global(self) -> None:
        """The same for the global patches, when all has been scored."""
        if self.around is None:
            return
        features, self._global = self._global, None
        if not self.keep:
            model, batch = self.context.model, self.context.batch
            with self._global_state.borrowed():
                features = self._forward(lambda: model.encode_global(batch), with_graph=True)
        assert features is not None
        grads = [torch.zeros_like(x) if x.grad is None else x.grad for x in self.around]
        _push(features, tuple(grads))

    def _with_graph(self, part: Tensor) -> Features:
        """Features of patches (K,) with their graph, which is kept; random as at first."""
        model, batch, first = self.context.model, self.context.batch, int(part[0])
        if first not in self._graphs:
            with self._states[first].borrowed(), self.context.counted('theta1'):
                features = self._forward(lambda: model.encode(batch, part), with_graph=True)
            assert features is not None
            self._graphs[first] = features
        return self._graphs[first]

    def _forward(self, encode: Callable[[], Features | None], with_graph: bool) -> Features | None:
        """theta1, with its graph or without; statistics move in the pass with the graph alone."""
        with self._precision():
            if with_graph:
                return encode()
            with torch.no_grad(), without_statistics(self.context.model):
                return encode()

    def _precision(self) -> AbstractContextManager[None]:
        context = self.context.optim_wrapper.optim_context(self.context.model)
        return cast('AbstractContextManager[None]', context)


def _push(features: Features, gradients: Features) -> None:
    pairs = [(f, g) for f, g in zip(features, gradients) if f.requires_grad]
    if pairs:
        torch.autograd.backward([f for f, _ in pairs], [g for _, g in pairs])
