"""Moving small tensors of the host to a device."""

from __future__ import annotations

import torch
from torch import Tensor


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Move a tensor of the host without waiting for the device.

    Args:
        tensor: Indices, labels and the like. It must not change afterwards.
        device: Where to.
    """
    if device.type == 'cuda':
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
