"""Hooks of all tasks draw without risk."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mmpatch.engine.hooks import PatchClsVisualizationHook, PatchSegVisualizationHook
from mmpatch.visualization import safe_drawing as module
from mmpatch.visualization.safe_drawing import safe_drawing


class Painter:
    """Draws even numbers alone."""

    def __init__(self) -> None:
        self.drawn: list[int] = []

    @safe_drawing
    def after_test_iter(self, number: int) -> None:
        """Draw a number."""
        if number % 2:
            raise ValueError(f'{number} is odd')
        self.drawn.append(number)


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is logged."""
    logged: list[str] = []
    monkeypatch.setattr(module, 'print_log', lambda text, **_: logged.append(text))
    return logged


def test_the_first_error_is_logged_and_later_pictures_are_drawn(messages: list[str]) -> None:
    painter = Painter()
    for number in range(5):
        painter.after_test_iter(number)
    assert painter.drawn == [0, 2, 4]
    assert len(messages) == 1 and 'ValueError: 1 is odd' in messages[0]
    Painter().after_test_iter(1)
    assert len(messages) == 2


@pytest.mark.parametrize('hook', [PatchSegVisualizationHook, PatchClsVisualizationHook])
def test_an_image_that_is_gone(hook: Any, messages: list[str], monkeypatch: Any) -> None:
    visualizer = SimpleNamespace(dataset_meta={}, add_datasample=None)
    monkeypatch.setattr(
        'mmengine.visualization.Visualizer.get_current_instance', lambda: visualizer
    )
    runner = SimpleNamespace(work_dir='.', timestamp='now', visualizer=visualizer)
    sample = SimpleNamespace(img_path='nowhere.png')
    if hook is PatchClsVisualizationHook:
        sample = type('Sample', (SimpleNamespace,), {'__contains__': lambda *_: True})(
            img_path='nowhere.png'
        )
    hook(draw=True, test_out_dir='drawn').after_test_iter(runner, 0, None, [sample])
    assert len(messages) == 1 and 'nowhere.png' in messages[0]
