"""The gradient of one loss in the memory of a chunk: orders of the same passes.

Z is a leaf between theta1 and theta2. Each order *encodes* patches (theta1 without graph), *scores*
them (theta2, the loss, and backward to Z) and *replays* them (theta1 with graph, and backward from
what Z collected). They differ in what the loss of a patch reads, so in how long Z must live. A patch
whose graph is kept from its encoding on is not encoded again.
"""

from __future__ import annotations

from torch import Tensor

from mmpatch.patching import Latent, Storage

from .encoding import Encoding, GlobalEncoding
from .passes import Losses, Passes, total
from .workload import GraphRoom, Workload


def streamed(
    passes: Passes, storage: Storage, work: Workload, last_chunk: int | None = None
) -> Losses:
    """For a loss that reads a patch and its neighbours: Z lives for about two rows of patches.

    Args:
        passes: The batch.
        storage: Where Z is kept.
        work: Patches in memory with their graphs. Graphs wait for two rows as well; if there is room
            for those of two rows, nothing is encoded twice.
        last_chunk: Stop after that many chunks, with an incomplete gradient; None: do all.
    """
    order = passes.chunk_order(work.chunk_size)
    if not order.chunks:  # of a rank without patches
        return {}
    latent = Latent(passes.batch, order.capacity, storage)
    latent.collect_gradient()
    room = _room(passes, work, order.capacity)
    global_patch = passes.encode_global(room.take_global())
    passes.batch.expect(order.chunks[:last_chunk])
    encodings: dict[int, Encoding] = {}
    losses: list[Losses] = []
    for i, chunk in enumerate(order.chunks[:last_chunk]):
        encodings[i] = passes.encode(latent, chunk, room.take(len(chunk)))
        for j in order.completed(i):
            if len(scored := order.scored(j)):
                losses.append(passes.score(latent, global_patch, scored))
            for k in order.completed(j):
                passes.replay(encodings[k], latent, order.chunks[k])
                room.give_back(encodings.pop(k))
    losses.append(passes.score_global(global_patch))
    global_patch.backward()
    return total(losses)


def one_by_one(passes: Passes, storage: Storage, work: Workload) -> Losses:
    """For a loss that reads a patch alone and sums over all patches: Z lives for a chunk.

    Args:
        passes: The batch.
        storage: Where Z is kept.
        work: Patches in memory with their graphs.
    """
    chunks = passes.parts(passes.batch.all_patches, work)
    latent = Latent(passes.batch, work.chunk_size, storage)
    latent.collect_gradient()
    room = _room(passes, work, sum(map(len, chunks)))
    global_patch = passes.encode_global(room.take_global())
    passes.batch.expect(chunks)
    encodings, parts = [], []
    for chunk in chunks:
        encodings.append(passes.encode(latent, chunk, room.take(len(chunk))))
        parts.append(passes.sums(latent, global_patch, chunk))
    sums = passes.batch_sums(parts, lambda: passes.sums_of_nothing(latent, global_patch))
    losses = []
    for chunk, encoding in zip(chunks, encodings):
        latent.write(chunk, encoding.with_graph())
        losses.append(passes.score(latent, global_patch, chunk, sums))
        passes.replay(encoding, latent, chunk)
    losses.append(passes.score_global(global_patch))
    global_patch.backward()
    return total(losses)


def global_alone(passes: Passes, weight: float = 1.0) -> Losses:
    """For the global patches' own losses and nothing else.

    Args:
        passes: The batch.
        weight: Factor of the losses.
    """
    global_patch = passes.encode_global(keep_graph=True)
    losses = passes.score_global(global_patch, weight)
    global_patch.backward()
    return losses


def two_pass(
    passes: Passes,
    latent: Latent,
    patches: Tensor,
    scored: Tensor,
    work: Workload,
    weight: float = 1.0,
    global_weight: float = 1.0,
) -> Losses:
    """For any loss, and for a draw of PatchGD: Z of the whole batch, which is there first.

    Args:
        passes: The batch.
        latent: Z; features of ``patches`` are written into it.
        patches: (K,) the patches that carry gradient through theta1.
        scored: (S,) the patches whose loss counts.
        work: Patches in memory with their graphs. If a chunk holds all K, none is encoded twice. If it
            has room for the global patches too, they ride along in the same call.
        weight: Factor of the patches' losses.
        global_weight: Factor of the global patches' own losses; with 0 they are not encoded.
    """
    model, batch, group = passes.model, passes.batch, passes.group
    own, chunks = group.part(patches), passes.parts(patches, work)
    latent.collect_gradient(patches)
    room = _room(passes, work, len(own))
    batch.expect(chunks)
    global_patch, riders = GlobalEncoding(), None
    riding = passes.has_global and 0 < len(own) <= work.chunk_size - passes.global_patches
    if riding and global_weight:
        encoding, global_patch = passes.encode_with_global(latent, own)
        encodings, riders = [encoding], global_patch
    else:
        if global_weight:
            global_patch = passes.encode_global(room.take_global())
        encodings = [passes.encode(latent, chunk, room.take(len(chunk))) for chunk in chunks]
    passes.exchange(latent, patches)
    sums = None
    if model.needs_sums:
        summed = scored if model.normalise_by == 'iteration' else batch.all_patches
        parts = [passes.sums(latent, global_patch, part) for part in passes.parts(summed, work)]
        sums = passes.batch_sums(parts, lambda: passes.sums(latent, global_patch, summed[:1]))
    if model.loss_scope == 'image':  # its loss cannot be scored in parts: each rank takes a share
        losses = [passes.score(latent, global_patch, scored, sums, weight / group.size)]
    else:
        losses = [
            passes.score(latent, global_patch, part, sums, weight)
            for part in passes.parts(scored, work)
        ]
    if latent.gradients is not None:
        group.add_up(latent.gradients.maps)
    losses.append(passes.score_global(global_patch, global_weight))
    for chunk, encoding in zip(chunks, encodings):
        passes.replay(encoding, latent, chunk, riders)
    global_patch.backward()
    latent.forget_gradient()
    return total(losses)


def _room(passes: Passes, work: Workload, waiting: int) -> GraphRoom:
    """Room for the graphs that are kept, where those of ``waiting`` patches wait at a time."""
    return GraphRoom(work, waiting, passes.global_patches)
