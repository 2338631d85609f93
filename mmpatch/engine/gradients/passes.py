"""The passes over one batch that gradients are put together from."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from mmpatch.engine.mesh import PatchGroup
from mmpatch.engine.monitor import Monitor
from mmpatch.engine.stepper import Stepper
from mmpatch.models.norms import without_statistics
from mmpatch.models.protocol import PatchModel, Sums
from mmpatch.patching import ChunkOrder, Features, Latent, PatchBatch, Storage

from .encoding import Encoding, GlobalEncoding, RandomState
from .workload import Workload

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
        group: The ranks that share the patches of the batch.
    """

    def __init__(
        self,
        model: PatchModel[Any],
        batch: PatchBatch[Any],
        stepper: Stepper,
        monitor: Monitor,
        names: Sequence[str],
        group: PatchGroup | None = None,
    ) -> None:
        self.model = model
        self.batch = batch
        self.stepper = stepper
        self.monitor = monitor
        self.names = names
        self.group = group or PatchGroup()

    def chunk_order(self, chunk_size: int) -> ChunkOrder:
        """The order in which this rank goes through its rows of patches and their neighbours."""
        return ChunkOrder(self.batch, chunk_size, self.group.rows(self.batch))

    def parts(self, patches: Tensor, work: Workload) -> Sequence[Tensor]:
        """This rank's part of some patches, in chunks."""
        own = self.group.part(patches)
        return own.split(work.chunk_size) if len(own) else ()

    def for_iteration(self, patches: Tensor, weight: float, global_weight: float) -> Passes:
        """The passes of an inner iteration that scores S patches, with these factors of losses."""
        passes = copy.copy(self)
        passes.batch = self.model.for_iteration(self.batch, patches, weight, global_weight)
        return passes

    def fill(self, storage: Storage, chunk_size: int) -> Latent:
        """Encode all patches without gradient; Z of the whole batch."""
        latent = Latent(self.batch, storage=storage)
        chunks = self.parts(self.batch.all_patches, Workload(chunk_size))
        self.batch.expect(chunks)
        for patches in chunks:
            latent.write(patches, self._without_graph(patches))
        self.exchange(latent, self.batch.all_patches)
        return latent

    def exchange(self, latent: Latent, patches: Tensor) -> None:
        """Give every rank of the group the features of patches (K,) that it has not encoded."""
        if latent.values is None and len(patches):  # a rank without patches learns their shape
            latent.write(patches[:1], self._without_graph(patches[:1]))
        self.group.exchange(latent, patches)

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
        self.monitor.encoded += len(patches)
        return Encoding(forward, state, graph, len(patches))

    def encode_global(self, keep_graph: bool = False) -> GlobalEncoding:
        """Encode the global patches, if the model has them and this rank has use for them."""
        if not self.has_global:
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

    @property
    def has_global(self) -> bool:
        """Whether this rank encodes the global patches: all do, or one where only their own losses do."""
        return self.model.global_patch and (self.model.reads_global or self.group.rank == 0)

    @property
    def global_patches(self) -> int:
        """Number of global patches that this rank encodes."""
        return self.batch.num_images if self.has_global else 0

    def encode_with_global(
        self, latent: Latent, patches: Tensor
    ) -> tuple[Encoding, GlobalEncoding]:
        """Encode K patches and the global patches by one call of theta1, and keep its graph."""
        state = RandomState.capture()

        def forward() -> tuple[Features, Features]:
            with self.monitor.counted('theta1'), self.stepper.precision(self.model):
                local, global_features = self.model.encode_with_global(self.batch, patches)
            return local, global_features or ()

        with self.monitor.timed('encode'):
            local, global_features = forward()
            latent.write(patches, local)
        self.monitor.memory['latent'] = latent.nbytes
        self.monitor.encoded += len(patches)
        leaves = tuple(f.detach() for f in global_features)
        graph = (*local, *global_features)
        encoding = Encoding(lambda: sum(forward(), ()), state, graph, len(patches))
        return encoding, GlobalEncoding(leaves or None)

    def sums(self, latent: Latent, global_patch: GlobalEncoding, patches: Tensor) -> Sums:
        """What S patches add to the sums that the loss of every patch depends on."""
        with self.stepper.precision(self.model), torch.no_grad():
            return self.model.patch_sums(self.batch, latent, global_patch.features, patches)

    def batch_sums(self, parts: Sequence[Sums], like: Callable[[], Sums]) -> Sums:
        """The sums over all patches, from those of this rank's parts.

        Args:
            parts: What each part adds.
            like: Gives sums of any patches. Where a rank has none, their shapes are needed.
        """
        if self.group.size > 1:
            own = parts or [tuple(map(torch.zeros_like, like()))]
            sums = tuple(torch.stack(column).sum(dim=0) for column in zip(*own))
            self.group.add_up(sums)
            parts = [sums]
        return self.model.batch_sums(self.batch, parts)

    def sums_of_nothing(self, latent: Latent, global_patch: GlobalEncoding) -> Sums:
        """The sums of any patch, of a rank that has none in its latent."""
        first = self.batch.all_patches[:1]
        latent.write(first, self._without_graph(first))
        return self.sums(latent, global_patch, first)

    def score(
        self,
        latent: Latent,
        global_patch: GlobalEncoding,
        patches: Tensor,
        sums: Sums | None = None,
        weight: float = 1.0,
    ) -> Losses:
        """theta2 and the loss at S patches, times a weight, and backward to Z and global features."""
        with self.monitor.timed('score'):
            with self.stepper.precision(self.model), self.monitor.counted('theta2'):
                losses = self.model.patch_losses(
                    self.batch, latent, global_patch.features, patches, sums
                )
            return self._backward(losses, weight)

    def score_global(self, global_patch: GlobalEncoding, weight: float = 1.0) -> Losses:
        """The global patches' own losses, times a weight, and backward to their features."""
        if global_patch.features is None or self.group.rank:
            return {}
        with self.monitor.timed('score'):
            with self.stepper.precision(self.model):
                losses = self.model.global_losses(self.batch, global_patch.features)
            return self._backward(losses, weight) if losses else {}

    def _backward(self, losses: dict[str, Tensor], weight: float) -> Losses:
        loss, logged = self.model.parse_losses(losses)
        self.stepper.backward(loss * weight)
        return {name: value.detach() * weight for name, value in logged.items()}

    def replay(
        self,
        encoding: Encoding,
        latent: Latent,
        patches: Tensor,
        riders: GlobalEncoding | None = None,
    ) -> None:
        """Go on backward through theta1 from the gradient that Z collected for K patches.

        Args:
            encoding: The call of theta1.
            latent: Z.
            patches: (K,) flat numbers of the patches.
            riders: Global patches that were encoded by the same call.
        """
        gradients = latent.gradient(patches)
        if riders is not None:
            gradients += riders.gradients()
        with self.monitor.timed('replay'):
            encoding.backward(gradients)

    def step(self, losses: Losses) -> Losses:
        """End an inner iteration whose gradient is complete; its losses, of all ranks of the group."""
        losses = self.group.total(losses, self.stepper.parameters[0])
        self.stepper.end_inner_iteration(losses['loss'], self.names)
        return losses

    def _without_graph(self, patches: Tensor) -> Features:
        """theta1 without gradient; statistics move in the pass with the graph alone."""
        with torch.no_grad(), without_statistics(self.model), self.stepper.precision(self.model):
            return self.model.encode(self.batch, patches)


def total(parts: Sequence[Losses]) -> Losses:
    """The sums of losses of the same names."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: torch.stack([p[name] for p in parts if name in p]).sum() for name in names}
