"""The passes over one batch that gradients are put together from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmpatch.engine.monitor import Monitor
from mmpatch.engine.stepper import Stepper
from mmpatch.models.norms import without_statistics
from mmpatch.models.protocol import PatchModel, Sums
from mmpatch.patching import Features, Latent, PatchBatch, Storage

from .encoding import Encoding, GlobalEncoding, RandomState

#: Losses by name for the log, detached; ``'loss'`` is their sum.
Losses = dict[str, Tensor]


class Passes:
    """theta1, theta2 and the loss on patches of one batch, as the training runs them.

    Args:
        model: The model, without a distributed wrapper.
        batch: The batch, cut into patches.
        stepper: Gives the precision; makes backward passes and steps.
        monitor: Notes time and memory.
        names: Names of the images, for messages.
    """

    def __init__(
        self,
        model: PatchModel[Any],
        batch: PatchBatch[Any],
        stepper: Stepper,
        monitor: Monitor,
        names: Sequence[str],
    ) -> None:
        self.model = model
        self.batch = batch
        self.stepper = stepper
        self.monitor = monitor
        self.names = names

    def fill(self, storage: Storage, chunk_size: int) -> Latent:
        """Encode all patches without gradient; Z of the whole batch."""
        latent = Latent(self.batch, storage=storage)
        for patches in self.batch.all_patches.split(chunk_size):
            latent.write(patches, self._without_graph(patches))
        return latent

    def encode(self, latent: Latent, patches: Tensor, keep_graph: bool = False) -> Encoding:
        """Encode K patches and write their features into the latent.

        Args:
            latent: Where the features go.
            patches: (K,) flat numbers.
            keep_graph: Keep the graph, instead of encoding again for the backward pass.
        """

        def forward() -> Features:
            with self.monitor.counted('theta1'), self.stepper.precision(self.model):
                return self.model.encode(self.batch, patches)

        state = RandomState.capture()
        with self.monitor.timed('encode'):
            graph = forward() if keep_graph else None
            latent.write(patches, self._without_graph(patches) if graph is None else graph)
        self.monitor.memory['latent'] = latent.nbytes
        return Encoding(forward, state, graph)

    def encode_global(self, keep_graph: bool = False) -> GlobalEncoding:
        """Encode the global patches, if the model has them."""
        if not self.model.global_patch:
            return GlobalEncoding()

        def forward() -> Features:
            with self.stepper.precision(self.model):
                features = self.model.encode_global(self.batch)
            assert features is not None
            return features

        state = RandomState.capture()
        if keep_graph:
            graph = forward()
            return GlobalEncoding(tuple(f.detach() for f in graph), Encoding(forward, state, graph))
        with torch.no_grad(), without_statistics(self.model):
            features = forward()
        return GlobalEncoding(features, Encoding(forward, state))

    def sums(self, latent: Latent, global_patch: GlobalEncoding, patches: Tensor) -> Sums:
        """What S patches add to the sums that the loss of every patch depends on."""
        with self.stepper.precision(self.model), torch.no_grad():
            return self.model.patch_sums(self.batch, latent, global_patch.features, patches)

    def score(
        self,
        latent: Latent,
        global_patch: GlobalEncoding,
        patches: Tensor,
        sums: Sums | None = None,
    ) -> Losses:
        """theta2 and the loss at S patches, and backward to Z and the global features."""
        with self.monitor.timed('score'):
            with self.stepper.precision(self.model), self.monitor.counted('theta2'):
                losses = self.model.patch_losses(
                    self.batch, latent, global_patch.features, patches, sums
                )
            loss, logged = self.model.parse_losses(losses)
            self.stepper.backward(loss)
        return {name: value.detach() for name, value in logged.items()}

    def replay(self, encoding: Encoding, latent: Latent, patches: Tensor) -> None:
        """Go on backward through theta1 from the gradient that Z collected for K patches."""
        with self.monitor.timed('replay'):
            encoding.backward(latent.gradient(patches))

    def step(self, loss: Tensor) -> None:
        """End an inner iteration whose gradient is complete."""
        self.stepper.end_inner_iteration(loss, self.names)

    def _without_graph(self, patches: Tensor) -> Features:
        """theta1 without gradient; statistics move in the pass with the graph alone."""
        with torch.no_grad(), without_statistics(self.model), self.stepper.precision(self.model):
            return self.model.encode(self.batch, patches)


def total(parts: Sequence[Losses]) -> Losses:
    """The sum of losses of the same names."""
    return {name: torch.stack([part[name] for part in parts]).sum() for name in parts[0]}
