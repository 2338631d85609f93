"""How ranks are arranged, and what each gets."""

from __future__ import annotations

from itertools import chain
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import DataLoader, SequentialSampler

from mmpatch.engine import mesh
from mmpatch.engine.loops.shared_batches import AlikeCheck, shared_dataloader
from mmpatch.engine.mesh import Mesh, PatchGroup
from mmpatch.patching import ChunkOrder, PatchBatch


@pytest.mark.parametrize('ranks', [1, 2, 3, 4, 7])
def test_rows_are_shared_out(ranks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(mesh, 'print_log', lambda text, **_: said.append(text))
    monkeypatch.setattr(mesh, '_SAID', set())
    batch = PatchBatch([torch.rand(3, 300, 120), torch.rand(3, 60, 200)], 64)  # 5 and 1 rows
    parts = [PatchGroup(rank, ranks).rows(batch) for rank in range(ranks)]
    assert torch.cat(parts).tolist() == list(range(14)) and len(parts[0])
    for part in filter(len, parts):
        assert part[0] in (0, 2, 4, 6, 8, 10)  # where a row starts
    if ranks == 2:
        assert [len(part) for part in parts] == [8, 6]
    assert bool(said) == (ranks > 6)
    if said:
        assert said[0].startswith('7 ranks share a batch of 6 row(s) of patches: 1 of them have')


def test_the_order_of_a_part() -> None:
    """Its patches and their neighbours are encoded; only its own are scored, each once."""
    batch = PatchBatch([torch.rand(3, 300, 120), torch.rand(3, 60, 200)], 64)
    own = torch.arange(4, 8)  # two of five rows
    order = ChunkOrder(batch, 3, own)
    assert torch.cat(order.chunks).tolist() == list(range(2, 10))
    scored, replayed, encoded = [], [], set()
    for i, chunk in enumerate(order.chunks):
        encoded |= set(chunk.tolist())
        for j in order.completed(i):
            found = order.scored(j)
            scored += found.tolist()
            near = batch.neighbours[found]
            assert set(near[near >= 0].tolist()) <= encoded
            for k in order.completed(j):
                replayed += order.chunks[k].tolist()
    assert scored == own.tolist() and replayed == list(range(2, 10))
    assert ChunkOrder(batch, 3, own[:0]).chunks == ()


@pytest.mark.parametrize('sampler', [DefaultSampler, InfiniteSampler])
def test_a_group_gets_one_batch(sampler: Any) -> None:
    data = list(range(8))
    seen = []
    for rank in range(2):
        loader = DataLoader(data, 2, sampler=sampler(data, seed=0), collate_fn=list)
        found = shared_dataloader(None, loader, Mesh(2, 3, rank, PatchGroup(0, 3)))
        batches = iter(found)
        seen.append([next(batches) for _ in range(2)])
        if sampler is DefaultSampler:
            assert len(found) == 2  # of two images each
    assert not set(chain(*seen[0])) & set(chain(*seen[1]))


def test_a_sampler_that_does_not_know_ranks() -> None:
    loader = DataLoader([1, 2], sampler=SequentialSampler([1, 2]))
    with pytest.raises(TypeError, match=r'need a sampler .* got SequentialSampler'):
        shared_dataloader(None, loader, Mesh(1, 2, 0, PatchGroup(0, 2)))


def test_batches_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    group = PatchGroup(0, 2)
    others: list[Any] = []
    monkeypatch.setattr(group, 'all_of', lambda value: [value, others[0] if others else value])
    sample = SimpleNamespace(metainfo=dict(img_path='a.png'))
    data = dict(inputs=[torch.zeros(3, 4, 4)], data_samples=[sample])
    AlikeCheck(group)(data)
    others.append(('another', ['b.png']))
    with pytest.raises(
        ValueError, match=r"different ones \(rank 0: \['a.png'\]; rank 1: \['b.png'\]"
    ):
        AlikeCheck(group)(data)


@pytest.mark.parametrize(
    ('parallel', 'text'),
    [
        (dict(data=2, patch=4), r'a mesh of 2 x 4 ranks, but there are 1 processes: start 8'),
        ('rows', "must be 'batches', 'patches', or a mesh such as"),
        (dict(data=2), "must be 'batches', 'patches', or a mesh such as"),
        ((1, 0), "must be 'batches', 'patches', or a mesh such as"),
    ],
)
def test_meshes_that_do_not_fit(parallel: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Mesh.build(parallel)


def test_one_process_is_its_own_group() -> None:
    for parallel in ('batches', 'patches', dict(data=1, patch=1)):
        found = Mesh.build(parallel)
        assert (found.data, found.patches, found.data_rank, found.group.size) == (1, 1, 0, 1)
