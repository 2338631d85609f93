from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import nn

from mmpatch.models.aggregators import ClassSum


@pytest.mark.parametrize('grid', [(1, 1), (1, 2), (1, 3), (2, 3)])
def test_the_distribution_of_the_sum(grid: tuple[int, int]) -> None:
    """Equal to the sum over all combinations of numbers, given that none is too large."""
    theta2 = ClassSum(5, 3, 4).double()
    latent = torch.randn(2, 5, *grid, dtype=torch.float64)
    probabilities = theta2.fc(latent.flatten(2).mT).softmax(dim=-1)
    expected = torch.zeros(2, 4, dtype=torch.float64)
    for numbers in itertools.product(range(3), repeat=grid[0] * grid[1]):
        if sum(numbers) < 4:
            both = [probabilities[:, i, number] for i, number in enumerate(numbers)]
            expected[:, sum(numbers)] += torch.stack(both).prod(dim=0)
    expected /= expected.sum(dim=1, keepdim=True)
    torch.testing.assert_close(theta2(latent).exp()[:, :, 0, 0], expected, rtol=1e-5, atol=2e-6)


def test_thousands_of_patches() -> None:
    """No probability vanishes, and every patch gets a gradient."""
    theta2, latent = ClassSum(2, 3, 3), torch.zeros(1, 2, 64, 64, requires_grad=True)
    nn.init.zeros_(theta2.fc.bias)
    theta2(latent)[0, 0].sum().backward()
    assert latent.grad is not None and bool((latent.grad != 0).any(dim=1).all())
    assert torch.isfinite(theta2(latent)).all()


def test_patches_that_are_sure_of_an_impossible_sum() -> None:
    theta2, latent = ClassSum(2, 3, 3), torch.ones(1, 2, 2, 2, requires_grad=True)
    nn.init.zeros_(theta2.fc.weight)
    theta2.fc.bias.data = torch.tensor([-500.0, -500.0, 500.0])
    found = theta2(latent)
    found[0, 0].sum().backward()
    assert torch.isfinite(found).all() and torch.isfinite(theta2.fc.bias.grad).all()


def test_it_starts_from_the_head_of_a_classifier(tmp_path: Path) -> None:
    weights = nn.Linear(5, 4).state_dict()
    path = str(tmp_path / 'head.pth')
    torch.save({'state_dict': {f'head.fc.{key}': value for key, value in weights.items()}}, path)
    theta2 = ClassSum(5, 4, 10, dict(type='Pretrained', checkpoint=path, prefix='head.'))
    theta2.init_weights()
    assert torch.equal(theta2.fc.weight, weights['weight'])


def test_fewer_sums_than_numbers() -> None:
    with pytest.raises(
        ValueError, match='numbers up to 9, so num_classes must be 10 or more, got 8'
    ):
        ClassSum(5, 10, 8)
