"""Gradients in the memory of a chunk: encode without graph, score, encode again with graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

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
    """The gradient of one loss, whose graph through theta1 never exceeds one chunk.

    Patches are encoded without graph; theta2 and the loss run on what is remembered of them, and
    their backward pass leaves the gradient with respect to it; then the patches are encoded again,
    with the same random state, and that gradient is pushed on into theta1. The same goes for the
    global patches. The cost over the plain gradient is one more forward pass of theta1.

    Args:
        context: The batch.
        latent: Remembers what is encoded.
        collected: Patches that carry gradient; None: all.
    """

    def __init__(
        self, context: BatchContext, latent: Latent, collected: Tensor | None = None
    ) -> None:
        self.context = context
        self.latent = latent
        self.collected = collected
        self.loss: Tensor | None = None
        self.losses: dict[str, Tensor] = defaultdict(lambda: torch.zeros(()))
        self._states: dict[int, RandomState] = {}
        self._global_state = RandomState.capture()
        with self._precision(), torch.no_grad(), without_statistics(context.model):
            around = context.model.encode_global(context.batch)
        self.around = None if around is None else tuple(x.requires_grad_() for x in around)

    def encode(self, part: Tensor) -> None:
        """Encode patches (K,) without graph and remember their features."""
        self._states[int(part[0])] = RandomState.capture()
        model, batch = self.context.model, self.context.batch
        with self._precision(), torch.no_grad(), without_statistics(model):
            features = model.encode(batch, part)
        self.latent.write(part, features)
        if self.latent.gradients is None:
            self.latent.collect(self.collected, features)
            self.context.memory['latent'] = self.latent.nbytes

    def score(self, part: Tensor) -> None:
        """theta2 and the loss of patches (S,), and backward to what is remembered."""
        model = self.context.model
        with self._precision(), self.context.counted('theta2'):
            losses = model.loss_at(self.context.batch, self.latent, self.around, part)
        loss, logged = model.parse_losses(losses)
        self.context.backward(loss)
        self.loss = loss.detach() if self.loss is None else self.loss + loss.detach()
        for name, value in logged.items():
            self.losses[name] = value.detach() + self.losses[name].to(value.device)

    def replay(self, part: Tensor) -> None:
        """Encode patches (K,) as before, with graph, and go on backward from what was collected."""
        state = self._states.pop(int(part[0]))
        with state.borrowed(), self._precision(), self.context.counted('theta1'):
            features = self.context.model.encode(self.context.batch, part)
        _push(features, self.latent.gradient(part))

    def replay_global(self) -> None:
        """The same for the global patches, when all has been scored."""
        if self.around is None:
            return
        with self._global_state.borrowed(), self._precision():
            features = self.context.model.encode_global(self.context.batch)
        assert features is not None
        _push(
            features,
            tuple(torch.zeros_like(x) if x.grad is None else x.grad for x in self.around),
        )

    def _precision(self) -> AbstractContextManager[None]:
        context = self.context.optim_wrapper.optim_context(self.context.model)
        return cast('AbstractContextManager[None]', context)


def _push(features: Features, gradients: Features) -> None:
    pairs = [(f, g) for f, g in zip(features, gradients) if f.requires_grad]
    if pairs:
        torch.autograd.backward([f for f, _ in pairs], [g for _, g in pairs])
