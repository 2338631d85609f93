"""Attention over patches is a weighted mean that knows no places."""

from __future__ import annotations

import torch

from mmpatch.models.aggregators import AttentionPooling


def test_one_entry_after_the_other() -> None:
    torch.manual_seed(0)
    model = AttentionPooling(6, channels=5, hidden=4).double()
    grid = torch.randn(2, 6, 3, 2, dtype=torch.float64)
    for image, found in zip(grid, model(grid)):
        entries = [torch.relu(model.value[0](entry)) for entry in image.flatten(1).T]
        scores = [
            model.score(torch.tanh(model.content[0](h)) * torch.sigmoid(model.gate[0](h)))
            for h in entries
        ]
        weights = torch.softmax(torch.cat(scores), dim=0)
        expected = sum(weight * entry for weight, entry in zip(weights, entries))
        torch.testing.assert_close(found[:, 0, 0], expected)


def test_places_do_not_matter() -> None:
    torch.manual_seed(0)
    model, grid = AttentionPooling(6), torch.randn(1, 6, 4, 4)
    moved = grid.flatten(2)[:, :, torch.randperm(16)].unflatten(2, (8, 2))
    assert model(grid).shape == (1, 256, 1, 1)
    torch.testing.assert_close(model(grid), model(moved))
