"""Where the picture of relevances is tinted."""

from __future__ import annotations

import numpy as np

from mmpatch.visualization.layout import GAP
from mmpatch.visualization.relevance_page import draw_relevance_page


def test_tints() -> None:
    image = np.full((300, 400, 3), 100, dtype=np.uint8)
    relevance = np.array([[2.0, 0.0], [-1.0, 0.0]])
    page = draw_relevance_page(
        'a caption', image.transpose(1, 0, 2).transpose(1, 0, 2), relevance, 200
    )
    top = page.shape[0] - GAP - 300
    panel = page[top : top + 300, 2 * GAP + 400 : 2 * GAP + 800].astype(int)
    speaks_for, against, neutral = panel[50, 50], panel[250, 50], panel[50, 350]
    assert speaks_for[0] > 180 > 100 > speaks_for[2]  # orange
    assert 100 < against[2] < 180 and against[0] < 100  # blue, half as strong
    assert neutral.tolist() == [100, 100, 100]
    assert page[top + 50, GAP + 50].tolist() == [100, 100, 100]
