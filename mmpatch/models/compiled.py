"""theta1 through torch.compile."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from mmengine.logging import print_log

from mmpatch.utils.memory import is_out_of_memory

#: Forms of one function that are compiled at most: by number of patches, with gradient or without.
MOST_FORMS = 64


class Compiled:
    """A function that runs through torch.compile, or as it is where that fails.

    Windows of patches have one size, so few forms are compiled.

    Args:
        function: What to compile; takes and returns tensors, beside a module.
        **options: Of ``torch.compile``, such as ``mode='reduce-overhead'``.
    """

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        self._function = function
        self._compiled: Callable[..., Any] | None = torch.compile(
            function, fullgraph=True, dynamic=False, **options
        )

    def __call__(self, *args: Any) -> Any:
        """What the function gives."""
        if self._compiled is not None:
            limit = _limit_of_forms()
            try:
                with torch._dynamo.config.patch({limit: MOST_FORMS}):
                    return self._compiled(*args)
            except Exception as error:  # an error of the function itself comes again below
                if is_out_of_memory(error):
                    raise
                self._compiled = None
                reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
                print_log(
                    f'{type(args[0]).__name__} cannot be compiled, and goes on as it is: {reason}',
                    logger='current',
                    level=logging.WARNING,
                )
        return self._function(*args)


def _limit_of_forms() -> str:
    """What this version of torch calls the limit of compiled forms."""
    known = hasattr(torch._dynamo.config, 'recompile_limit')
    return 'recompile_limit' if known else 'cache_size_limit'
