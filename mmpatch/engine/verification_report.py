"""What a verification of gradients found out."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

#: Largest relative error of a right gradient, by the type that losses are computed in.
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3}

#: Gradients by the names of their parameters.
Gradients = dict[str, Tensor]


@dataclass
class Verification:
    """What was found out about the gradients of a model.

    Attributes:
        modules: Name, relative error, cosine and norm of the gradient of each module.
        tolerance: Largest relative error that counts as right.
        moved: Buffers that the gradient changed and should not have.
        without: Trained parameters that got no gradient, from the loop or from autograd.
        only_autograd: Those that got one from autograd alone.
        random: The first module whose output differs between two equal passes by more than
            rounding; None: none.
        approximation: Of sampled gradients, relative error and cosine of their mean over the
            inner iterations of a batch against the exact gradient; None for exact ones.
    """

    modules: list[tuple[str, float, float, float]]
    tolerance: float
    moved: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    only_autograd: list[str] = field(default_factory=list)
    random: str | None = None
    approximation: tuple[float, float] | None = None

    @property
    def problems(self) -> list[str]:
        """Every fault in words; empty if there is none."""
        found = [
            f'{name}: relative error {error:.1e} is above {self.tolerance:.0e}'
            for name, error, _, _ in self.modules
            if not error <= self.tolerance
        ]
        if self.moved:
            found.append(
                f'{len(self.moved)} running statistics moved (first: {self.moved[0]}): set '
                "model.norm_eval=True or use norm_cfg=dict(type='GN', num_groups=32)"
            )
        if self.only_autograd:
            found.append(
                f'{len(self.only_autograd)} parameters get a gradient from autograd but none from '
                f'the loop (first: {self.only_autograd[0]})'
            )
        if self.random is not None:
            found.append(
                f'{self.random} gives different outputs for the same input and random state; a '
                'replay cannot repeat what it did'
            )
        return found

    def table(self) -> str:
        """One line per module, then statistics and parameters without gradient."""
        width = max(len(name) for name, *_ in self.modules)
        lines = [f'{"module":<{width}}  relative error      cosine  norm of gradient']
        for name, error, cosine, norm in self.modules:
            mark = '' if error <= self.tolerance else '  WRONG'
            lines.append(f'{name:<{width}}  {error:14.1e}  {cosine:10.7f}  {norm:16.3e}{mark}')
        if self.approximation is not None:
            error, cosine = self.approximation
            lines.append(
                f'Sampling as configured, mean over the inner iterations of a batch, against the '
                f'exact gradient: relative error {error:.3f}, cosine {cosine:.3f}'
            )
        lines.append(f'Running statistics that moved: {", ".join(self.moved[:5]) or "none"}')
        lines.append(f'Trained parameters without gradient: {", ".join(self.without) or "none"}')
        return '\n'.join(lines)


def by_module(
    found: Gradients, expected: Gradients, depth: int
) -> list[tuple[str, float, float, float]]:
    """Name, relative error, cosine and norm of the gradient of each module.

    Args:
        found: Gradients to be judged; a missing one counts as zero.
        expected: Right gradients.
        depth: Parts of a parameter's name that make a row.
    """
    groups: dict[str, list[str]] = {}
    for name in expected:
        groups.setdefault('.'.join(name.split('.')[:-1][:depth]), []).append(name)
    rows = []
    for group, names in groups.items():
        zeros = {n: torch.zeros_like(expected[n]) for n in names}
        got = flat({n: found.get(n, zeros[n]) for n in names})
        reference = flat({n: expected[n] for n in names})
        rows.append((group, *compare(got, reference), float(reference.norm())))
    return rows


def flat(gradients: Gradients) -> Tensor:
    """All gradients as one vector."""
    return torch.cat([g.flatten() for g in gradients.values()])


def compare(found: Tensor, expected: Tensor) -> tuple[float, float]:
    """Relative error and cosine."""
    norm = expected.norm().clamp(min=1e-30)
    cosine = (found @ expected) / (found.norm().clamp(min=1e-30) * norm)
    return float((found - expected).norm() / norm), float(cosine)
