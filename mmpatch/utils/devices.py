"""Moving small tensors of the host to a device."""

from __future__ import annotations

import torch
from torch import Tensor


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Move a tensor without waiting for the device; one that is there stays as it is.

    Args:
        tensor: Indices, labels and the like, of the host. It must not change afterwards.
        device: Where to.
    """
    if device.type == 'cuda' and tensor.device.type == 'cpu':  # nothing else can be page-locked
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
