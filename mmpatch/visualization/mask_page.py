"""One readable page of the masks of an image of any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import Colour, Region
from .colours import class_colours
from .detail_regions import choose_regions
from .layout import GAP, TEXT_SIZE, below, beside, framed, legend, paragraph

#: Gives a region of a picture in a size (h, w): (h, w, 3) RGB uint8 of an image, (h, w) of a mask.
View: TypeAlias = Callable[[Region, tuple[int, int]], NDArray[Any]]

WRONG: Colour = (255, 30, 60)
TINT = 0.35
IGNORED = 255
#: Captions are at least this wide [px].
MIN_WIDTH = 480
MAX_ZOOM = 4
#: From this width to height on, panels lie one below the other, and may be twice as wide.
WIDE = 1.6
#: Details are sought among this many points at most.
MAX_POINTS = 20_000


def draw_mask_page(
    title: str,
    image_size: tuple[int, int],
    image: View,
    masks: Mapping[str, View],
    meta: Mapping[str, Any],
    side: int = 640,
    max_details: int = 2,
) -> NDArray[Any]:
    """Draw image, labels and prediction beside or below each other, whole and in details.

    Classes are tinted and outlined, so that what lies below stays visible. With both ``'labels'``
    and ``'prediction'``, the prediction's wrong pixels are red and the details lie where most of
    them are, else where most borders of classes are.

    Args:
        title: Begins the caption.
        image_size: Height and width of the image [px].
        image: Views of the image.
        masks: Views of masks of it by name, in the order of the panels.
        meta: ``classes`` and ``palette``, if they are known.
        side: Longer side of a panel at most, and side of a detail [px].
        max_details: Details at most.

    Returns:
        (h, w, 3) RGB uint8.
    """
    height, width = image_size
    put = below if width > WIDE * height else beside
    scale = min(side * (2 if put is below else 1) / max(height, width), float(MAX_ZOOM))
    scale = float(int(scale)) if scale >= 1 else scale
    whole = (0, 0, width, height)
    shown = (max(1, round(height * scale)), max(1, round(width * scale)))
    found = {name: view(whole, shown) for name, view in masks.items()}
    wrong = _wrong(found)
    highest = max([int(m[m != IGNORED].max(initial=0)) for m in found.values()], default=0)
    classes = tuple(meta.get('classes') or ())
    colours = _colours(meta.get('palette'), max(len(classes), highest + 1))
    rows = [put(_panels(image(whole, shown), found, colours))]
    if scale < 1:
        marked = wrong if wrong is not None and wrong.any() else _all_edges(found)
        for region in _details(marked, image_size, side, max_details):
            size = (region[3] - region[1], region[2] - region[0])
            parts = {name: view(region, size) for name, view in masks.items()}
            rows.append(beside(_panels(image(region, size), parts, colours)))
    room = max(MIN_WIDTH, rows[0].shape[1])
    swatches = [
        (_swatch(colours[i]), name) for i, name in enumerate(classes) if i > 0 or len(classes) > 2
    ]
    if wrong is not None:
        swatches.append((_swatch(WRONG), f'wrong, {100 * wrong.mean():.2f} % of the pixels'))
    seen = f'reduced to {scale:.2g}, details in full size' if scale < 1 else f'x {scale:.0f}'
    caption = f'{title}, {width} x {height} px, {seen}: ' + ', '.join(['image', *masks])
    return framed(
        below([paragraph(caption, room), legend(swatches, room, TEXT_SIZE), *rows], GAP // 2)
    )


def view_image(image: NDArray[Any]) -> View:
    """Views of an image (H, W, 3) in memory, reduced with antialiasing or magnified."""

    def view(region: Region, size: tuple[int, int]) -> NDArray[Any]:
        x0, y0, x1, y1 = region
        part = np.ascontiguousarray(image[y0:y1, x0:x1])
        how = cv2.INTER_AREA if size[0] < part.shape[0] else cv2.INTER_CUBIC
        return cv2.resize(part, size[::-1], interpolation=how)

    return view


def view_mask(mask: NDArray[Any]) -> View:
    """Views of a mask (H, W) in memory, each pixel taken from the nearest one."""

    def view(region: Region, size: tuple[int, int]) -> NDArray[Any]:
        x0, y0, x1, y1 = region
        rows = y0 + (np.arange(size[0]) * (y1 - y0) / size[0]).astype(int)
        cols = x0 + (np.arange(size[1]) * (x1 - x0) / size[1]).astype(int)
        return mask[rows][:, cols]

    return view


def visible_range(image: NDArray[Any]) -> tuple[float, float]:
    """Darkest and brightest value to be told apart in an image of more than 8 bits."""
    if image.dtype == np.uint8:
        return 0.0, 255.0
    low, high = np.nanpercentile(image, [0.5, 99.8])
    return float(low), float(high)


def visible(image: NDArray[Any], value_range: tuple[float, float]) -> NDArray[Any]:
    """Make an image (h, w, bands) RGB uint8: the first three bands, or the first as grey.

    Args:
        image: Of any type; 8 bits stay as they are, others are stretched and brightened.
        value_range: Of :func:`visible_range`.
    """
    image = image[..., :3] if image.shape[2] >= 3 else image[..., [0, 0, 0]]
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    low, high = value_range
    share = (np.nan_to_num(image.astype(np.float32)) - low) / max(high - low, 1e-6)
    return (np.sqrt(share.clip(0, 1)) * 255).astype(np.uint8)


def _panels(
    image: NDArray[Any], masks: Mapping[str, NDArray[Any]], colours: list[Colour]
) -> list[NDArray[Any]]:
    wrong = _wrong(masks)
    panels = [image]
    for name, mask in masks.items():
        panels.append(_tinted(image, mask, colours, wrong if name == 'prediction' else None))
    return panels


def _wrong(masks: Mapping[str, NDArray[Any]]) -> NDArray[Any] | None:
    """Pixels that are not predicted as they are labelled; None without both masks."""
    if not {'labels', 'prediction'} <= masks.keys():
        return None
    labels = masks['labels']
    return (labels != masks['prediction']) & (labels != IGNORED)


def _details(
    marked: NDArray[Any], image_size: tuple[int, int], side: int, count: int
) -> list[Region]:
    """Regions of the image where most pixels of its reduced picture (h, w) are marked."""
    points = np.argwhere(marked)
    points = points[:: max(1, len(points) // MAX_POINTS)]
    centres = (points[:, ::-1] + 0.5) * (np.array(image_size) / marked.shape)[::-1]
    return choose_regions(centres, image_size, side, count)


def _tinted(
    image: NDArray[Any],
    mask: NDArray[Any],
    colours: list[Colour],
    mistakes: NDArray[Any] | None,
) -> NDArray[Any]:
    """Classes in their colours over an image, outlined; background of a binary mask left as is."""
    out: NDArray[Any] = image.astype(np.float32)
    edges = _edges(mask)
    for label, colour in enumerate(colours):
        if label == 0 and len(colours) == 2:
            continue
        place = mask == label
        out[place] = out[place] * (1 - TINT) + np.array(colour) * TINT
        out[place & edges] = colour
    if mistakes is not None:
        out[mistakes] = out[mistakes] * 0.3 + np.array(WRONG) * 0.7
    return out.astype(np.uint8)


def _all_edges(masks: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Borders of classes in any of the masks."""
    edges = [_edges(mask) for mask in masks.values()]
    return np.logical_or.reduce(edges) if edges else np.zeros((1, 1), dtype=bool)


def _edges(mask: NDArray[Any]) -> NDArray[Any]:
    """Pixels whose left or upper neighbour is of another class, and those neighbours."""
    edges = np.zeros(mask.shape, dtype=bool)
    down, right = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    edges[1:] |= down
    edges[:-1] |= down
    edges[:, 1:] |= right
    edges[:, :-1] |= right
    return edges


def _colours(palette: Sequence[Sequence[int]] | None, count: int) -> list[Colour]:
    known = list(palette or [[0, 0, 0], [255, 0, 0], [0, 255, 0]])
    return class_colours((known * count)[:count])


def _swatch(colour: Colour) -> NDArray[Any]:
    return np.full((14, 22, 3), colour, dtype=np.uint8)
