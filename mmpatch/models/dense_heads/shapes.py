"""Sizes that stock heads read from data samples."""

from __future__ import annotations

from typing import Any


def with_shapes(sample: Any, side: tuple[int, int]) -> Any:
    """A data sample with the metainfo that stock heads take from mmdet's data preprocessor.

    Args:
        sample: The data sample; it stays as it is.
        side: Height and width of the padded batch [px].
    """
    known = sample.clone()
    known.set_metainfo(dict(pad_shape=side, batch_input_shape=side))
    if 'border' not in known:  # where CenterNet's own test pipeline has put the image
        known.set_metainfo(dict(border=(0, side[0], 0, side[1])))
    return known
