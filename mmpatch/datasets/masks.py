"""Masks as data sets store them, turned into labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mmpatch.datasets.raster_image import RasterImage

Labels = npt.NDArray[np.uint8]
#: Rows of a mask that are looked at together.
STRIP = 1024


def require_labels(masks: Sequence[str], ignored: int | None) -> None:
    """Check that masks hold numbers of classes, not colours and not the 0 and 255 of black and white.

    Binary masks are read one after the other until one has foreground.

    Args:
        masks: Files.
        ignored: Label of pixels that are left out, if masks are binary; None: another kind.

    Raises:
        ValueError: If a mask has several bands, or binary masks hold 0 and the ignored label alone.
    """
    found: set[int] = set()
    for path in masks:
        mask = RasterImage(path, fill=None)
        if mask.shape[0] != 1:
            raise ValueError(
                f'the mask {path} has {mask.shape[0]} bands, expected one that holds numbers of '
                'classes from 0: convert colours first (tools/dataset_converters/aerial.py does, '
                'and mmpatch.datasets.masks.colours_to_labels)'
            )
        if ignored is None:
            return
        for top in range(0, mask.shape[1], STRIP):
            found.update(mask[:, top : top + STRIP, :].unique().tolist())
            if found - {0, ignored}:
                return
    if ignored in found:
        raise ValueError(
            f'all {len(masks)} masks hold only {sorted(found)}, and {ignored} is ignored: nothing '
            f'is left to learn. If {ignored} is the foreground, set foreground={ignored} in the '
            'dataset; if the masks have regions to ignore, the foreground must be 1'
        )


def colours_to_labels(
    mask: npt.NDArray[np.uint8], labels: Mapping[tuple[int, int, int], int], name: str
) -> Labels:
    """Turn a mask of colours into one of labels.

    Args:
        mask: (H, W, 3) RGB.
        labels: Label of each colour.
        name: File, for messages.

    Returns:
        (H, W) labels.

    Raises:
        ValueError: If a colour has no label, or the mask is no RGB image.
    """
    if mask.ndim != 3 or mask.shape[2] != 3:
        raise ValueError(f'{name} is no RGB mask: its shape is {mask.shape}, expected (H, W, 3)')
    codes = mask.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    table = {red << 16 | green << 8 | blue: label for (red, green, blue), label in labels.items()}
    found, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
    unknown = [(int(code), int(n)) for code, n in zip(found, counts) if int(code) not in table]
    if unknown:
        listed = ', '.join(f'#{code:06X} ({n} px)' for code, n in unknown[:5])
        raise ValueError(
            f'{name} has {len(unknown)} colour(s) that no class has: {listed}. The classes have '
            f'{", ".join(f"#{code:06X}" for code in table)}: masks must be stored without loss '
            '(PNG, not JPEG)'
        )
    values = np.array([table[int(code)] for code in found], dtype=np.uint8)
    return values[places].reshape(mask.shape[:2])


def grey_to_binary(mask: npt.NDArray[Any], name: str) -> Labels:
    """Turn a mask of 0/1, of 0/255 or of grey values into labels 0 and 1, cut at the half.

    Args:
        mask: (H, W), or (H, W, channels) whose channels are equal.
        name: File, for messages.

    Returns:
        (H, W) labels.

    Raises:
        ValueError: If the mask has colours.
    """
    if mask.dtype == np.bool_:
        return mask.astype(np.uint8)
    if mask.ndim == 3:
        if any(not np.array_equal(mask[..., 0], mask[..., i]) for i in range(1, mask.shape[2])):
            raise ValueError(f'{name} has colours, expected a binary mask in black and white')
        mask = mask[..., 0]
    top = 1 if mask.max(initial=0) <= 1 else np.iinfo(mask.dtype).max
    return (mask > top / 2).astype(np.uint8)
