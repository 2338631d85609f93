"""How many patches an inner iteration has, and how many inner iterations a batch has."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class PatchSchedule:
    """The inner loop of PatchGD (Gupta et al. 2023, arXiv:2301.13817) as numbers.

    Args:
        sampling_rate: Share of the patches that one inner iteration encodes with gradient.
        inner_iterations: Number J of inner iterations per batch. None: ``ceil(1 / sampling_rate)``,
            which goes through all patches once, in portions of nearly equal size.
        sampled_patches: Number K of patches in place of a share, for images of various sizes; then
            J has to be given too.
        block: Patches are drawn in square blocks of so many neighbours a side. Within a block theta2
            reads features that all carry gradient.
        global_iteration: One more inner iteration, before the J others, trains the global patch alone.

    Raises:
        ValueError: If the sampling rate is outside (0, 1], or J, K or the block is not positive.
    """

    sampling_rate: float = 0.25
    inner_iterations: int | None = None
    sampled_patches: int | None = None
    block: int = 1
    global_iteration: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.sampling_rate <= 1:
            raise ValueError(
                'sampling_rate is the share of the patches that an inner iteration trains on: '
                f'it must lie in (0, 1], got {self.sampling_rate}. For 25 % of them say 0.25'
            )
        if self.inner_iterations is not None and self.inner_iterations < 1:
            raise ValueError(
                f'inner_iterations must be a positive number or None, got {self.inner_iterations}'
            )

        if self.block < 1:
            raise ValueError(f'block must be a positive number of patches a side, got {self.block}')
        if self.sampled_patches is not None and (
            self.sampled_patches < 1 or self.inner_iterations is None
        ):
            raise ValueError(
                'sampled_patches is a positive number of patches and needs inner_iterations, got '
                f'sampled_patches={self.sampled_patches}, inner_iterations={self.inner_iterations}'
            )

    @property
    def rounds(self) -> int:
        """Inner iterations per batch: J, and that of the global patch."""
        return self.draws + self.global_iteration

    @property
    def draws(self) -> int:
        """Number J of inner iterations per batch that draw patches."""
        if self.inner_iterations is not None:
            return self.inner_iterations
        return math.ceil(round(1 / self.sampling_rate, 9))

    def patches_per_round(self, num_patches: int) -> int:
        """Number K of a batch's A patches in one inner iteration: max(1, round(rate * A))."""
        if self.sampled_patches is not None:
            return min(self.sampled_patches, num_patches)
        return max(1, round(self.sampling_rate * num_patches))

    def optimizer_steps(self, batches: int, accumulative_counts: int) -> int:
        """Optimizer steps over a number of batches; the remainder is a step of its own.

        Args:
            batches: Batches of the epoch (or of the whole training, where it is counted in
                iterations).
            accumulative_counts: Inner iterations whose gradients are summed up for a step.

        Returns:
            ``ceil(batches * rounds / accumulative_counts)``.
        """
        return math.ceil(batches * self.rounds / accumulative_counts)
