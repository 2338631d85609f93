"""What a prediction depends on, as JSON holds it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from mmpatch.datasets.raster_image import RasterImage

Identity = dict[str, Any]
#: Attributes of models that change speed, memory, or what is logged, never the result.
WITHOUT_EFFECT = ('chunk_size', 'training', 'explain', '_warned')
#: Differences that a message lists.
SHOWN = 5


def model_identity(model: nn.Module) -> Identity:
    """Weights and settings of a model.

    Args:
        model: In evaluation mode.

    Returns:
        ``model``, a hash of all weights and buffers; ``settings``, plain values by dotted names.
    """
    digest = hashlib.sha256()
    buffers = model.named_buffers()  # those that are not saved as well: means, standard deviations
    for name, value in (*model.named_parameters(), *buffers):
        raw = value.detach().cpu().flatten().contiguous().view(torch.uint8).numpy().tobytes()
        digest.update(name.encode() + raw)
    return _as_json({'model': digest.hexdigest(), 'settings': _settings(model)})


def with_image(identity: Identity, image: RasterImage) -> Identity:
    """The identity of a model together with the image that it reads, and how.

    Args:
        identity: What :func:`model_identity` gives.
        image: The image.
    """
    try:
        status = os.stat(image.path)
        file = [os.path.abspath(image.path), status.st_size, status.st_mtime_ns]
    except OSError:  # an address that only GDAL understands
        file = [image.path, *image.shape]
    settings = identity['settings'] | {'bands': image.bands, 'fill': image.fill}
    return _as_json(identity | {'image': file, 'settings': settings})


def differences(found: Identity, wanted: Identity) -> str:
    """Say what differs between two identities; an empty text if nothing does."""
    different = [key for key in ('model', 'image') if found.get(key) != wanted[key]]
    before, now = found.get('settings', {}), wanted['settings']
    different += [
        f'{name} ({before.get(name)!r}, now {now.get(name)!r})'
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    return ', '.join(different[:SHOWN])


def _settings(model: nn.Module) -> Identity:
    """Plain attributes of all modules by their dotted names: ``blend``, ``aggregator.fusion`` and more.

    What the constructor of a module keeps is what its result depends on beside weights. A list of
    names here would miss the next setting that somebody adds.
    """
    found: Identity = {
        f'{prefix}.{name}'.lstrip('.'): value
        for prefix, module in model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, (bool, int, float, str, type(None))) and name not in WITHOUT_EFFECT
    }
    for prefix, module in model.named_modules():
        if isinstance(getattr(module, 'test_cfg', None), Mapping):
            found[f'{prefix}.test_cfg'.lstrip('.')] = dict(module.test_cfg)
    return found


def _as_json(value: Identity) -> Identity:
    """The same after a round through JSON, where tuples are lists; functions become their names."""
    text = json.dumps(value, default=lambda x: getattr(x, '__qualname__', type(x).__name__))
    found: Identity = json.loads(text)
    return found
