"""Pictures that may fail, and metrics that do not fail with them."""

from __future__ import annotations

import functools
import logging
import traceback
from collections.abc import Callable
from typing import Any

from mmengine.logging import print_log


def safe_drawing(draw: Callable[..., None]) -> Callable[..., None]:
    """Let a method of a hook fail to draw without ending the validation or test that it runs in.

    The first error of a hook is logged with its traceback, later ones are not.

    Args:
        draw: The method, such as ``after_test_iter``.

    Returns:
        The method that raises nothing.
    """

    @functools.wraps(draw)
    def wrapped(hook: Any, *args: Any, **kwargs: Any) -> None:
        try:
            draw(hook, *args, **kwargs)
        except Exception:  # whatever ails a picture, hours of training must not be lost with it
            if getattr(hook, 'drawing_failed', False):
                return
            hook.drawing_failed = True
            print_log(
                f'{type(hook).__name__} could not draw a picture. Metrics are computed all the '
                f'same; further errors of pictures are not logged.\n{traceback.format_exc()}',
                logger='current',
                level=logging.ERROR,
            )

    return wrapped
