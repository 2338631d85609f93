"""What a step takes that several processes share, expected from what it takes one.

A model of the exact gradient: every patch costs the same, each process has a device of its own, and
nothing is sent while something is computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mmpatch.engine.mesh import PatchGroup
from mmpatch.patching import ChunkOrder, PatchBatch

from .cell import Result
from .models import build
from .report import aligned

HEAD = ('processes', 's / step', 'expected', 'busy [s]', 'times as fast', 'expected', 'sent [MiB]')


@dataclass(frozen=True)
class Share:
    """What the busiest of several processes does in a step.

    Attributes:
        encoded: Patches that it encodes and replays, as a share of all.
        scored: Patches that it scores, as a share of all.
        sent: What it sends [bytes].
    """

    encoded: float
    scored: float
    sent: float


def share_of(alone: Result, base: dict[str, Any], processes: int) -> Share:
    """How the exact gradient of a cell is shared, from the shapes of its image and its model.

    Args:
        alone: The cell measured in one process.
        base: Base config of its model.
        processes: That share the patches.
    """
    cell = alone.cell
    with torch.device('meta'):
        model: Any = build(cell.cfg(base))
    height = cell.rows * cell.patch_size or cell.side
    image = torch.zeros(1, dtype=torch.uint8).expand(3, height, cell.side)
    batch: PatchBatch[object] = PatchBatch([image], cell.patch_size)
    apart = (processes - 1) / processes
    sent = 2 * apart * sum(p.nbytes for p in model.parameters() if p.requires_grad)
    groups = [PatchGroup(rank, processes) for rank in range(processes)]
    if not model.needs_sums and model.loss_scope != 'image':  # by rows, with the rows next to them
        rows = [group.rows(batch) for group in groups]
        encoded = max(sum(map(len, ChunkOrder(batch, 1, own).chunks)) for own in rows)
        scored = max(map(len, rows))
        return Share(encoded / batch.num_patches, scored / batch.num_patches, sent)
    own = max(len(group.part(batch.all_patches)) for group in groups) / batch.num_patches
    if model.loss_scope != 'patch':  # Z goes to all, and its gradient is added up
        latent = (alone.kept - image.nbytes) / 2
        sent += 3 * apart * latent
    return Share(own, 1.0 if model.loss_scope == 'image' else own, sent)


def expected_seconds(alone: Result, share: Share, bandwidth: float) -> float:
    """Time of a step [s].

    Args:
        alone: The cell measured in one process.
        share: What the busiest process does.
        bandwidth: Between processes [bytes / s].
    """
    times = alone.times or {}
    by_patch = {stage: times.get(stage, 0.0) for stage in ('encode', 'score', 'replay')}
    rest = (alone.seconds or 0.0) - sum(by_patch.values())  # global patch, optimizer
    theta1 = by_patch['encode'] + by_patch['replay']
    computed = share.encoded * theta1 + share.scored * by_patch['score']
    return rest + computed + share.sent / bandwidth


def scaling_table(results: Sequence[Result], base: dict[str, Any], bandwidth: float) -> str:
    """What was measured beside what was expected, in Markdown.

    Args:
        results: Of one cell and several numbers of processes; the first one of one process.
        base: Base config of the model.
        bandwidth: Between processes [bytes / s].
    """
    alone = results[0]
    rows = []
    for result in results:
        share = share_of(alone, base, result.cell.ranks)
        expected = expected_seconds(alone, share, bandwidth)
        seconds, one = result.seconds or math.nan, alone.seconds or math.nan
        numbers = (seconds, expected, result.busy, one / seconds, one / expected)
        rows.append(
            [
                str(result.cell.ranks),
                *(f'{number:.2f}' for number in numbers),
                f'{share.sent / 2**20:.0f}',
            ]
        )
    return aligned([HEAD, *rows])
