"""The gradient of one loss in the memory of a chunk: orders of the same passes.

Z is a leaf between theta1 and theta2. Each order *encodes* patches (theta1 without graph), *scores*
them (theta2, the loss, and backward to Z) and *replays* them (theta1 with graph, and backward from
what Z collected). They differ in what the loss of a patch reads, so in how long Z must live.
"""

from __future__ import annotations

from torch import Tensor

from mmpatch.patching import ChunkOrder, Latent, Storage

from .encoding import Encoding, GlobalEncoding
from .passes import Losses, Passes, total


def streamed(
    passes: Passes, storage: Storage, chunk_size: int, last_chunk: int | None = None
) -> Losses:
    """For a loss that reads a patch and its neighbours: Z lives for about two rows of patches.

    Args:
        passes: The batch.
        storage: Where Z is kept.
        chunk_size: Patches that go through theta1 at once. If it holds the whole batch, graphs are
            kept and nothing is encoded twice.
        last_chunk: Stop after that many chunks, with an incomplete gradient; None: do all.
    """
    order = ChunkOrder(passes.batch, chunk_size)
    keep_graph = len(order.chunks) == 1
    latent = Latent(passes.batch, order.capacity, storage)
    latent.collect_gradient()
    global_patch = passes.encode_global(keep_graph)
    encodings: dict[int, Encoding] = {}
    losses: list[Losses] = []
    for i, chunk in enumerate(order.chunks[:last_chunk]):
        encodings[i] = passes.encode(latent, chunk, keep_graph)
        for j in order.completed(i):
            losses.append(passes.score(latent, global_patch, order.chunks[j]))
            for k in order.completed(j):
                passes.replay(encodings.pop(k), latent, order.chunks[k])
    losses.append(passes.score_global(global_patch))
    global_patch.backward()
    return total(losses)


def one_by_one(passes: Passes, storage: Storage, chunk_size: int) -> Losses:
    """For a loss that reads a patch alone and sums over all patches: Z lives for a chunk.

    Args:
        passes: The batch.
        storage: Where Z is kept.
        chunk_size: Patches that go through theta1 at once.
    """
    chunks = passes.batch.all_patches.split(chunk_size)
    latent = Latent(passes.batch, chunk_size, storage)
    latent.collect_gradient()
    global_patch = passes.encode_global()
    encodings, parts = [], []
    for chunk in chunks:
        encodings.append(passes.encode(latent, chunk))
        parts.append(passes.sums(latent, global_patch, chunk))
    sums = passes.model.batch_sums(passes.batch, parts)
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
    chunk_size: int,
    weight: float = 1.0,
    global_weight: float = 1.0,
) -> Losses:
    """For any loss, and for a draw of PatchGD: Z of the whole batch, which is there first.

    Args:
        passes: The batch.
        latent: Z; features of ``patches`` are written into it.
        patches: (K,) the patches that carry gradient through theta1.
        scored: (S,) the patches whose loss counts.
        chunk_size: Patches that go through theta1 at once. If it holds all K, graphs are kept and
            nothing is encoded twice; the global patches ride along in the same call.
        weight: Factor of the patches' losses.
        global_weight: Factor of the global patches' own losses; with 0 they are not encoded.
    """
    model, batch = passes.model, passes.batch
    chunks = patches.split(chunk_size)
    latent.collect_gradient(patches)
    global_patch, riders = GlobalEncoding(), None
    if global_weight == 0:
        encodings = [passes.encode(latent, chunk, len(chunks) == 1) for chunk in chunks]
    elif len(chunks) == 1:
        encoding, global_patch = passes.encode_with_global(latent, patches)
        encodings, riders = [encoding], global_patch
    else:
        global_patch = passes.encode_global()
        encodings = [passes.encode(latent, chunk) for chunk in chunks]
    sums = None
    if model.needs_sums:
        parts = [
            passes.sums(latent, global_patch, part) for part in batch.all_patches.split(chunk_size)
        ]
        sums = model.batch_sums(batch, parts)
    together = model.loss_scope == 'image'  # its loss cannot be scored in parts
    losses = [
        passes.score(latent, global_patch, part, sums, weight)
        for part in ([scored] if together else scored.split(chunk_size))
    ]
    losses.append(passes.score_global(global_patch, global_weight))
    for chunk, encoding in zip(chunks, encodings):
        passes.replay(encoding, latent, chunk, riders)
    global_patch.backward()
    latent.forget_gradient()
    return total(losses)
