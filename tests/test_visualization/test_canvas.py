"""Views of images, boxes and texts."""

import numpy as np
import pytest

from mmpatch.visualization.canvas import Canvas, overlap, text_size

RED, BLUE = (255, 0, 0), (0, 0, 255)


def picture(height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 100, (height, width, 3), dtype=np.uint8)


def test_a_view_is_a_copy_of_the_region() -> None:
    image = picture()
    before = image.copy()
    canvas = Canvas.view(image, (10, 5, 30, 25))
    assert np.array_equal(canvas.pixels, image[5:25, 10:30])
    canvas.boxes(np.array([[12.0, 7, 20, 15]]), [RED])
    assert (canvas.pixels[2, 2:10] == RED).all()  # the top edge, moved by the origin
    assert np.array_equal(image, before)
    whole = Canvas.view(image)
    whole.pixels[:] = 0
    assert np.array_equal(image, before)


def test_reduction_averages() -> None:
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 200
    reduced = Canvas.view(stripes, scale=0.25)
    assert reduced.pixels.shape == (16, 16, 3)
    assert (reduced.pixels == 100).all()


@pytest.mark.parametrize('region', [(0, 0, 61, 40), (5, 5, 5, 20), (-1, 0, 20, 20)])
def test_region_outside(region: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match='is empty or reaches beyond the image of 60 x 40 px'):
        Canvas.view(picture(), region)


@pytest.mark.parametrize(
    ('scale', 'corners'), [(1.0, [10, 20, 29, 39]), (0.5, [5, 10, 14, 19]), (0.01, [0, 0, 2, 2])]
)
def test_boxes_end_before_their_right_edge_and_never_vanish(
    scale: float, corners: list[int]
) -> None:
    canvas = Canvas(picture(), scale=scale)
    assert canvas.to_picture(np.array([[10.0, 20, 30, 40]])).tolist() == [corners]


def test_tint_and_dim_change_only_their_side() -> None:
    image = picture()
    box = np.array([[10.0, 10, 20, 20], [15.0, 15, 25, 25]])
    inside = np.zeros((40, 60), dtype=bool)
    inside[10:20, 10:20] = inside[15:25, 15:25] = True
    tinted, dimmed = Canvas.view(image), Canvas.view(image)
    tinted.fill(box, RED, 0.5)
    dimmed.dim_outside(box, 0.25)
    assert np.array_equal(tinted.pixels[~inside], image[~inside])
    assert np.allclose(tinted.pixels[inside], (image[inside] + np.array(RED)) / 2, atol=0.5)
    assert np.array_equal(dimmed.pixels[inside], image[inside])
    assert np.array_equal(dimmed.pixels[~inside], image[~inside] // 4)


def test_labels_do_not_overlap_and_stay_inside() -> None:
    canvas = Canvas(np.zeros((120, 160, 3), dtype=np.uint8))
    rng = np.random.default_rng(1)
    corners = rng.uniform(0, 120, (60, 2))
    boxes = np.concatenate([corners, corners + 15], axis=1)
    written = canvas.labels(boxes, ['.50'] * 60, [BLUE] * 60)
    assert 5 < len(written) < 60
    assert not any(overlap(a, b) for i, a in enumerate(written) for b in written[:i])
    for left, top, right, bottom in written:
        assert 0 <= left < right <= 160
        assert 0 <= top < bottom <= 120
        assert (canvas.pixels[bottom - 1, left:right] == BLUE).all()


def test_text_is_cut_at_the_border() -> None:
    canvas = Canvas(np.zeros((20, 30, 3), dtype=np.uint8))
    canvas.text((10, 5), 'much too long', 14, RED)
    assert canvas.pixels[:, 10:].any()
    canvas.text((200, 200), 'outside')
    assert text_size('much too long', 14)[0] > 30
