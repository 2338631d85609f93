"""From a setting to a gradient strategy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmpatch.registry import GRADIENTS

from .strategy import GradientStrategy


def build_gradient(setting: str | Mapping[str, Any]) -> GradientStrategy:
    """Build what ``train_cfg.gradient`` says.

    Args:
        setting: Name of a strategy, or a config of one such as ``dict(type='exact', chunk_size=2)``.

    Raises:
        ValueError: If there is no strategy of that name.
    """
    settings = dict(type=setting) if isinstance(setting, str) else dict(setting)
    cls = GRADIENTS.get(str(settings.pop('type', None)))
    if cls is None:
        known = ', '.join(map(repr, sorted(GRADIENTS.module_dict)))
        raise ValueError(
            f'gradient must be one of {known}, or a config of one of them such as '
            f"dict(type='exact', chunk_size=2); got {setting!r}"
        )
    strategy: GradientStrategy = cls(**settings)
    return strategy
