"""Classes and colours of a data set that do not fit together: found before training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def check_metainfo(meta: Mapping[str, Any], owner: str) -> None:
    """Check names and colours of classes.

    A config that inherits another one and sets its own ``classes`` keeps the other's ``palette``, as
    configs are merged key by key.

    Args:
        meta: Metainfo of a data set; what it lacks is not checked.
        owner: What the metainfo belongs to, for the message.

    Raises:
        ValueError: If ``classes`` is a string, a name comes twice, or the palette has too few colours.
    """
    classes, palette = meta.get('classes'), meta.get('palette')
    if isinstance(classes, str):
        raise ValueError(
            f"{owner}: metainfo classes={classes!r} is a string: write a tuple, ('{classes}', )"
        )
    if classes is None:
        return
    twice = sorted({name for name in classes if list(classes).count(name) > 1})
    if twice:
        raise ValueError(f'{owner}: the metainfo names the class(es) {twice} more than once')
    colours = palette if isinstance(palette, (list, tuple)) else ()
    is_single = len(colours) > 0 and isinstance(colours[0], int)
    if 0 < len(colours) < len(classes) and not is_single:
        raise palette_error(meta, owner)


def palette_error(meta: Mapping[str, Any], owner: str) -> ValueError:
    """The error about a palette of another length than the classes."""
    return ValueError(
        f'{owner}: the metainfo has {len(meta["classes"])} classes, {list(meta["classes"])}, but a '
        f'palette of {len(meta["palette"])} colour(s), which may be inherited from another config. '
        'Set metainfo=dict(classes=..., palette=[(red, green, blue), ...]) with a colour for each '
        'class, or palette=None to have the colours chosen'
    )
