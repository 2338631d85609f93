"""Classes of patches are counted; nothing is not."""

from __future__ import annotations

import pytest
import torch

from mmpatch.models.aggregators import ClassCounts


def test_classes_are_counted() -> None:
    counts = ClassCounts(3, 3)
    with torch.no_grad():
        counts.fc.weight.copy_(1_000 * torch.eye(3))
        counts.fc.bias.zero_()
    shown = torch.tensor([[0, 2, 2], [1, 0, 2]])
    latent = torch.nn.functional.one_hot(shown, 3).permute(2, 0, 1)[None].float()
    found = counts(latent)
    assert found.shape == (1, 2, 1, 1)
    torch.testing.assert_close(found.flatten(), torch.tensor([1.0, 3.0]))


def test_it_adds_up_what_each_patch_says() -> None:
    torch.manual_seed(0)
    counts, latent = ClassCounts(5, 4), torch.randn(2, 5, 3, 2)
    one_by_one = sum(counts(latent[:, :, y : y + 1, x : x + 1]) for y in range(3) for x in range(2))
    torch.testing.assert_close(counts(latent), one_by_one)


def test_it_starts_from_the_head_of_a_classifier(tmp_path: object) -> None:
    weight, bias = torch.randn(4, 5), torch.randn(4)
    path = f'{tmp_path}/w.pth'
    torch.save({'state_dict': {'head.fc.weight': weight, 'head.fc.bias': bias}}, path)
    counts = ClassCounts(5, 4, dict(type='Pretrained', checkpoint=path, prefix='head.'))
    counts.init_weights()
    assert torch.equal(counts.fc.weight, weight) and torch.equal(counts.fc.bias, bias)


def test_one_class() -> None:
    with pytest.raises(ValueError, match=r'classes must be 2 .* or more, got 1'):
        ClassCounts(5, 1)
