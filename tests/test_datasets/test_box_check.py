"""Invalid boxes are found, counted and named."""

import pytest

from mmpatch.datasets.box_check import BoxCheck

IMAGE = {'file_name': 'a.png', 'width': 100, 'height': 50}


def _annotation(*bbox: float) -> dict[str, object]:
    return {'id': 7, 'bbox': list(bbox)}


@pytest.mark.parametrize('mode', ['error', 'clip', 'drop'])
def test_valid_boxes_pass_unchanged(mode: str) -> None:
    check = BoxCheck(mode)
    assert check.check(_annotation(0, 0, 100, 50), IMAGE) == [0, 0, 100, 50]
    # Within the tolerance of 1 px.
    assert check.check(_annotation(90, 10, 11, 5), IMAGE) == [90, 10, 101, 15]
    check.report('train.json')
    assert (check.total, check.clipped, check.dropped) == (2, 0, 0)


def test_error_counts_and_names_the_first() -> None:
    check = BoxCheck()
    check.check(_annotation(0, 0, 10, 10), IMAGE)
    for _ in range(7):
        check.check(_annotation(95, 10, 20, 5), IMAGE)
    with pytest.raises(
        ValueError, match=r'7 of 8 annotations in train\.json have an invalid box'
    ) as caught:
        check.report('train.json')
    message = str(caught.value)
    assert (
        'a.png (100 x 50 px), annotation 7: bbox (x, y, width, height) = [95, 10, 20, 5]' in message
    )
    assert '... and 2 more' in message
    assert "invalid_boxes='clip'" in message
    assert "invalid_boxes='drop'" in message


@pytest.mark.parametrize(
    ('bbox', 'clipped'),
    [
        ((95, 10, 20, 5), [95, 10, 100, 15]),
        ((-5, -6, 10, 10), [0, 0, 5, 4]),
        ((200, 10, 5, 5), None),
        ((10, 10, 0, 5), None),
        ((10, 10, -4, 5), None),
        ((100, 10, 0.5, 5), None),
        ((float('nan'), 1, 2, 3), None),
        ((1, 2, 3), None),
    ],
)
def test_clip_and_drop(bbox: tuple[float, ...], clipped: list[float] | None) -> None:
    clip, drop = BoxCheck('clip'), BoxCheck('drop')
    assert clip.check(_annotation(*bbox), IMAGE) == clipped
    assert drop.check(_annotation(*bbox), IMAGE) is None
    clip.report('train.json')
    assert (clip.clipped, clip.dropped) == ((0, 1) if clipped is None else (1, 0))
    assert (drop.clipped, drop.dropped) == (0, 1)


def test_missing_box_is_invalid() -> None:
    check = BoxCheck()
    assert check.check({'id': 1}, IMAGE) is None
    with pytest.raises(ValueError, match=r'bbox .* = None'):
        check.report('train.json')


def test_unknown_mode() -> None:
    with pytest.raises(
        ValueError, match=r"invalid_boxes='fix': expected one of 'error', 'clip', 'drop'"
    ):
        BoxCheck('fix')
