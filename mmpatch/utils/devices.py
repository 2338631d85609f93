"""Moving tensors between the host and a device."""

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


def gathered(source: Tensor, indices: Tensor, like: Tensor) -> Tensor:
    """Entries of a tensor along its first axis, in the type of another tensor and where that is.

    On their way from the host to a GPU the entries are put together in page-locked memory, which the
    GPU copies while the host goes on.

    Args:
        source: (N, ...).
        indices: (K,), where ``source`` is.
        like: Any tensor.

    Returns:
        (K, ...).
    """
    if source.device.type != 'cpu' or like.device.type != 'cuda':
        return source.index_select(0, indices).to(like)
    staged = torch.empty((len(indices), *source.shape[1:]), dtype=source.dtype, pin_memory=True)
    torch.index_select(source, 0, indices, out=staged)
    return staged.to(like.device, non_blocking=True).to(like.dtype)  # a type changes on the device


def brought(values: Tensor, like: Tensor) -> Tensor:
    """Values in the type of another tensor and where that is; the host computes with them at once.

    On their way from a GPU to the host they go through page-locked memory.

    Args:
        values: Of any shape.
        like: Any tensor.
    """
    if values.device.type != 'cuda' or like.device.type != 'cpu':
        return values.to(like)
    staged = torch.empty(values.shape, dtype=like.dtype, pin_memory=True)
    staged.copy_(values.to(like.dtype), non_blocking=True)
    torch.cuda.current_stream(values.device).synchronize()
    return staged
