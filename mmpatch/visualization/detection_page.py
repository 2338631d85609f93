"""One readable page of the detections in an image of any size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .box_matching import Boxes
from .canvas import INK, WHITE, Canvas, Colour, Region
from .detail_regions import choose_regions
from .layout import GAP, TEXT_SIZE, below, beside, framed, legend, paragraph
from .scene import Scene

MISSED: Colour = (255, 30, 60)
MISSED_TINT = 0.45
FALSE: Colour = (255, 190, 0)
#: An object of middle size has at least about this side in a detail [px].
OBJECT_SIDE = 40
MAX_ZOOM = 4
#: Boxes on the overview get lines of 2 px where the middle one is larger than this [px].
THICK_FROM = 24
#: Captions are at least this wide [px], also over a narrow picture.
MIN_WIDTH = 480
#: Up to this many classes are named in the legend.
MAX_CLASSES = 16


@dataclass(frozen=True)
class PageLayout:
    """Sizes of a page.

    Args:
        overview_side: Longer side of the overview at most [px].
        whole_side: Images whose longer side is at most this [px] are drawn whole, without details.
        max_details: Details at most.
        detail_side: Side that a detail has at least [px].

    Raises:
        ValueError: If a size is not positive or there is a negative number of details.
    """

    overview_side: int = 1400
    whole_side: int = 1000
    max_details: int = 4
    detail_side: int = 420

    def __post_init__(self) -> None:
        if min(self.overview_side, self.whole_side, self.detail_side) < 1 or self.max_details < 0:
            raise ValueError(
                'overview_side, whole_side and detail_side must be positive and max_details not '
                f'negative, got {self}'
            )


def draw_page(image: NDArray[Any], scene: Scene, layout: PageLayout) -> NDArray[Any]:
    """Draw an overview with details, or a small image whole.

    Args:
        image: (H, W, 3) RGB uint8 of any size.
        scene: What to draw on it.
        layout: Sizes.

    Returns:
        The page (h, w, 3), RGB uint8.
    """
    longer = max(image.shape[:2])
    if longer <= layout.whole_side:
        zoom = max(1, layout.whole_side // longer)
        canvas = Canvas.view(image, scale=zoom)
        mark(canvas, scene, line=2, named=True)
        body, seen = canvas.pixels, f'magnified {zoom}x' if zoom > 1 else 'full size'
    else:
        body, seen = _overview_with_details(image, scene, layout)
    height, width = image.shape[:2]
    room = max(body.shape[1], MIN_WIDTH)
    parts = [
        paragraph(f'{scene.title}, {width} x {height} px, {seen}', room),
        paragraph(scene.caption(), room, TEXT_SIZE + 4),
        _legend(scene, room),
        body,
    ]
    return framed(below(parts, GAP // 2))


def mark(canvas: Canvas, scene: Scene, line: int = 1, named: bool = False) -> None:
    """Draw the boxes of a scene.

    Args:
        canvas: Where to draw them.
        scene: The boxes.
        line: Width of the lines [px].
        named: Label the predictions with their scores, and with their class if there are several.
    """
    canvas.fill(scene.missed.corners, MISSED, MISSED_TINT)
    canvas.boxes(scene.missed.corners, [MISSED] * len(scene.missed), line)
    for boxes in (scene.plain, scene.false):
        canvas.boxes(boxes.corners, scene.colours_of(boxes), line)
    canvas.crosses(scene.false.corners, [FALSE] * len(scene.false), line)
    if named:
        _label(canvas, scene)


def _overview_with_details(
    image: NDArray[Any], scene: Scene, layout: PageLayout
) -> tuple[NDArray[Any], str]:
    """The overview beside or above its details, and a word on its scale."""
    height, width = image.shape[:2]
    scale = min(1.0, layout.overview_side / max(height, width))
    overview = Canvas.view(image, scale=scale)
    mark(overview, scene, line=2 if scene.middle_size * scale > THICK_FROM else 1)
    right = width <= 1.5 * height
    room = overview.pixels.shape[0 if right else 1]
    count = max(1, min(layout.max_details, (room + GAP) // (layout.detail_side + GAP)))
    caption = GAP + TEXT_SIZE + 8 if right else GAP
    side = max(layout.detail_side, (room + GAP) // count - caption)
    zoom = min(MAX_ZOOM, math.ceil(OBJECT_SIDE / max(1.0, scene.middle_size)))
    zoom = max(zoom, 2 if scale > 0.6 else 1)  # a detail shows more than the overview
    centres = (scene.corners[:, :2] + scene.corners[:, 2:]) / 2
    regions = choose_regions(
        centres, (height, width), side // zoom, count if layout.max_details else 0
    )
    details = [_detail(image, scene, region, zoom, n) for n, region in enumerate(regions, start=1)]
    for number, region in enumerate(regions, start=1):
        _frame(overview, region, str(number))
    seen = f'reduced to {scale:.0%}' if scale < 1 else 'full size'
    if not details:
        return overview.pixels, seen
    if right:
        return beside([overview.pixels, below(details)]), seen
    return below([overview.pixels, beside(details)]), seen


def _detail(
    image: NDArray[Any], scene: Scene, region: Region, zoom: int, number: int
) -> NDArray[Any]:
    """One magnified part of the image under a line that says where it is."""
    canvas = Canvas.view(image, region, zoom)
    mark(canvas, scene, line=2, named=True)
    left, top, right, bottom = region
    text = f'{number}: x {left}-{right}, y {top}-{bottom} px, {zoom}x'
    return below([paragraph(text, canvas.pixels.shape[1]), canvas.pixels], 2)


def _frame(canvas: Canvas, region: Region, number: str) -> None:
    """Show on the overview where a detail is."""
    corners = np.array([region], dtype=float)
    canvas.boxes(corners, [INK], 6)
    canvas.boxes(corners, [WHITE], 2)
    canvas.labels(corners, [number], [WHITE], 20)


def _label(canvas: Canvas, scene: Scene) -> None:
    """Write scores at predictions: false ones first, as labels that find no room are left out."""
    if scene.predictions is None:
        return
    corners, texts, colours = [], [], []
    for boxes in (scene.false, scene.plain):
        boxes = boxes[_in_view(canvas, boxes)]
        corners.append(boxes.corners)
        colours += scene.colours_of(boxes)
        for label, score in zip(boxes.labels, boxes.scores):
            name = f'{scene.class_name(label)} ' if len(scene.classes) > 1 else ''
            texts.append(name + f'{score:.2f}'.removeprefix('0'))
    canvas.labels(np.concatenate(corners), texts, colours)


def _in_view(canvas: Canvas, boxes: Boxes) -> NDArray[Any]:
    """Say which boxes reach into the picture; (N,) bool."""
    corners = canvas.to_picture(boxes.corners)
    height, width = canvas.pixels.shape[:2]
    inside: NDArray[Any] = (corners[:, 2:] >= 0).all(axis=1) & (corners[:, 0] < width)
    return inside & (corners[:, 1] < height)


def _legend(scene: Scene, width: int) -> NDArray[Any]:
    """A legend of colours and marks, with counts by class."""
    labels = np.concatenate([scene.plain.labels, scene.false.labels, scene.missed.labels])
    present, counts = np.unique(labels, return_counts=True)
    shown = present[np.argsort(-counts, kind='stable')][:MAX_CLASSES]
    entries = [(_swatch(scene.colours[label]), _tally(scene, label)) for label in shown]
    rest = len(present) - len(shown)
    if scene.matches is not None and len(shown):
        entries.append((_swatch(scene.colours[shown[0]], crossed=True), 'false'))
        entries.append((_swatch(MISSED, filled=True), 'missed'))
    page = legend(entries, width)
    if rest:
        page = below([page, paragraph(f'and {rest} more classes', width)], 0)
    return page


def _tally(scene: Scene, label: int) -> str:
    """Name of a class, with the number of its objects that are found."""
    name = scene.class_name(label)
    if scene.matches is None or scene.objects is None:
        return f'{name}: {int((scene.plain.labels == label).sum())}'
    of_class = scene.objects.labels == label
    return f'{name}: {int(scene.matches.found[of_class].sum())} of {int(of_class.sum())}'


def _swatch(colour: Colour, *, crossed: bool = False, filled: bool = False) -> NDArray[Any]:
    """A small example of a mark, on grey as lines are seen on a photograph."""
    canvas = Canvas(np.full((16, 24, 3), 90, dtype=np.uint8))
    box = np.array([[3.0, 2.0, 21.0, 14.0]])
    if filled:
        canvas.fill(box, colour, MISSED_TINT)
    canvas.boxes(box, [colour], 2)
    if crossed:
        canvas.crosses(box, [FALSE])
    return canvas.pixels
