"""Attention over patches is a weighted mean, or sum, that knows no places."""

from __future__ import annotations

import pytest
import torch

from mmpatch.models.aggregators import AttentionPooling


@pytest.mark.parametrize('kind', ['softmax', 'sigmoid'])
def test_one_entry_after_the_other(kind: str) -> None:
    torch.manual_seed(0)
    model = AttentionPooling(6, channels=5, hidden=4, weights=kind).double()
    grid = torch.randn(2, 6, 3, 2, dtype=torch.float64)
    for image, found in zip(grid, model(grid)):
        entries = [torch.relu(model.value[0](entry)) for entry in image.flatten(1).T]
        scores = [
            model.score(torch.tanh(model.content[0](h)) * torch.sigmoid(model.gate[0](h)))
            for h in entries
        ]
        scores = torch.cat(scores)
        weights = (
            torch.softmax(scores, dim=0) if kind == 'softmax' else 1 / (1 + torch.exp(-scores))
        )
        expected = sum(weight * entry for weight, entry in zip(weights, entries))
        torch.testing.assert_close(found[:, 0, 0], expected)


def test_places_do_not_matter() -> None:
    torch.manual_seed(0)
    model, grid = AttentionPooling(6), torch.randn(1, 6, 4, 4)
    moved = grid.flatten(2)[:, :, torch.randperm(16)].unflatten(2, (8, 2))
    assert model(grid).shape == (1, 256, 1, 1)
    torch.testing.assert_close(model(grid), model(moved))


def test_a_sum_grows_with_what_there_is() -> None:
    torch.manual_seed(0)
    image = torch.randn(1, 6, 4, 4)
    twice = torch.cat((image, image), dim=3)
    mean, total = AttentionPooling(6), AttentionPooling(6, weights='sigmoid')
    torch.testing.assert_close(mean(twice), mean(image))
    torch.testing.assert_close(total(twice), 2 * total(image))


def test_a_sum_starts_small() -> None:
    torch.manual_seed(0)
    entries = torch.randn(1, 6, 16, 16)
    assert float(AttentionPooling(6, weights='sigmoid')(entries).mean()) < 8  # of 256 patches


def test_weights_of_another_kind() -> None:
    with pytest.raises(ValueError, match="'softmax' or 'sigmoid', got 'none'"):
        AttentionPooling(6, weights='none')


@pytest.mark.parametrize('kind', ['softmax', 'sigmoid'])
def test_as_a_neck_it_pools_the_last_map(kind: str) -> None:
    torch.manual_seed(0)
    model = AttentionPooling(6, weights=kind)
    maps = torch.randn(2, 6, 4, 4)
    (found,) = model((torch.randn(2, 3, 8, 8), maps))
    torch.testing.assert_close(found, model(maps).flatten(1))
