"""Mixed precision in bfloat16, on any device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmpatch.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class BF16OptimWrapper(OptimWrapper):
    """:class:`mmengine.optim.OptimWrapper` that runs the model under bfloat16 autocast.

    mmengine's ``AmpOptimWrapper`` refuses to be built without an accelerator. bfloat16 has the
    range of float32, so it needs no loss scaling and works on CPUs as well as on GPUs.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast around the forward passes of a step."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, dtype=torch.bfloat16):
            yield
