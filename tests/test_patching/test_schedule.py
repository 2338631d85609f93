from __future__ import annotations

import pytest

from mmpatch.patching import PatchSchedule


@pytest.mark.parametrize(
    ('rate', 'inner', 'rounds'), [(0.25, None, 4), (0.3, None, 4), (1.0, None, 1), (0.1, 10, 10)]
)
def test_rounds(rate: float, inner: int | None, rounds: int) -> None:
    assert PatchSchedule(rate, inner).rounds == rounds


def test_patches_per_round() -> None:
    schedule = PatchSchedule(0.1)
    assert [schedule.patches_per_round(n) for n in (1, 4, 16, 64)] == [1, 1, 2, 6]
    assert PatchSchedule(1.0).patches_per_round(7) == 7


@pytest.mark.parametrize(
    ('batches', 'inner', 'counts', 'steps'),
    [(10, 4, 2, 20), (10, 4, 3, 14), (1, 3, 10, 1), (7, 1, 1, 7)],
)
def test_optimizer_steps(batches: int, inner: int, counts: int, steps: int) -> None:
    assert PatchSchedule(0.5, inner).optimizer_steps(batches, counts) == steps


@pytest.mark.parametrize('rate', [0, -0.5, 1.01, 25])
def test_bad_rate(rate: float) -> None:
    with pytest.raises(ValueError, match=r'must lie in \(0, 1\], got'):
        PatchSchedule(rate)


def test_bad_inner_iterations() -> None:
    with pytest.raises(ValueError, match='inner_iterations must be a positive number'):
        PatchSchedule(0.5, 0)


def test_a_number_of_patches_in_place_of_a_share() -> None:
    schedule = PatchSchedule(inner_iterations=3, sampled_patches=4)
    assert [schedule.patches_per_round(n) for n in (1, 4, 64)] == [1, 4, 4]
    assert schedule.rounds == 3


@pytest.mark.parametrize('settings', [dict(sampled_patches=4), dict(sampled_patches=0)])
def test_a_number_of_patches_needs_a_number_of_iterations(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match='needs inner_iterations, got'):
        PatchSchedule(**settings)  # type: ignore[arg-type]
