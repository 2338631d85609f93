"""Sizes of memory as people write them."""

from __future__ import annotations

import re

UNITS = {'B': 1, 'KIB': 2**10, 'MIB': 2**20, 'GIB': 2**30, 'TIB': 2**40}
UNITS.update({'KB': 10**3, 'MB': 10**6, 'GB': 10**9, 'TB': 10**12})


def parse_size(text: str | int) -> int:
    """Bytes of a size such as ``'4GiB'``, ``'800 MB'`` or ``4294967296``.

    Raises:
        ValueError: If it cannot be read or is not positive.
    """
    match = re.fullmatch(r'\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*', str(text))
    unit = match[2].upper() or 'B' if match else ''
    if match is None or unit not in UNITS or float(match[1]) <= 0:
        raise ValueError(
            f"a memory budget is a positive number and a unit, such as '4GiB' or '800MB'; got "
            f'{text!r}'
        )
    return int(float(match[1]) * UNITS[unit])


def format_size(count: float) -> str:
    """Bytes for people, such as ``'1.25 GiB'`` or ``'37 MiB'``."""
    if abs(count) >= 2**30:
        return f'{count / 2**30:.2f} GiB'
    return f'{count / 2**20:.0f} MiB'
