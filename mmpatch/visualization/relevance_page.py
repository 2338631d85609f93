"""A page that shows which patches of an image speak for its predicted class."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import Colour
from .layout import GAP, TEXT_SIZE, below, beside, framed, legend, paragraph

FOR: Colour = (255, 150, 0)
AGAINST: Colour = (30, 110, 255)
STRONGEST = 0.65
#: Captions are at least this wide [px].
MIN_WIDTH = 480


def draw_relevance_page(
    caption: str, image: NDArray[Any], relevance: NDArray[Any], side: float
) -> NDArray[Any]:
    """Draw a reduced image, and beside it the same with its patches tinted by their relevance.

    Args:
        caption: What stands above.
        image: (h, w, 3) RGB uint8.
        relevance: (m, n), how much each patch speaks for the class (positive) or against it.
        side: Side of a patch in the reduced image [px].

    Returns:
        (H, W, 3) RGB uint8.
    """
    image = np.ascontiguousarray(image)
    height, width = image.shape[:2]
    strength = relevance / max(float(np.abs(relevance).max()), 1e-12)
    rows = np.minimum((np.arange(height) / side).astype(int), relevance.shape[0] - 1)
    cols = np.minimum((np.arange(width) / side).astype(int), relevance.shape[1] - 1)
    places = strength[rows][:, cols][..., None]
    colours = np.where(places > 0, np.array(FOR), np.array(AGAINST))
    alpha = np.abs(places) * STRONGEST
    tinted = np.ascontiguousarray(image * (1 - alpha) + colours * alpha, dtype=np.uint8)
    for number, count in ((0, relevance.shape[0]), (1, relevance.shape[1])):
        for i in range(1, count):
            at = round(i * side)
            ends = ((0, at), (width, at)) if number == 0 else ((at, 0), (at, height))
            cv2.line(tinted, *ends, (128, 128, 128), 1)
    room = max(MIN_WIDTH, 2 * width + GAP)
    swatches = [
        (np.full((14, 22, 3), FOR, dtype=np.uint8), 'speaks for the predicted class'),
        (np.full((14, 22, 3), AGAINST, dtype=np.uint8), 'against it'),
    ]
    return framed(
        below(
            [
                paragraph(caption, room),
                legend(swatches, room, TEXT_SIZE),
                beside([image, tinted]),
            ],
            GAP // 2,
        )
    )
