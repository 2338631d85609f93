"""What all our data preprocessors share: the image stays on the host."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmpatch.utils.devices import moved


class HostImages(BaseDataPreprocessor):
    """Keeps images raw on the host, and moves and normalises patches only.

    A mixin: put it before the data preprocessor of a task. ``mean``, ``std`` and ``bgr_to_rgb``
    mean what they mean there; padding options have no effect, as patches are padded alone.

    Raises:
        ValueError: If batch augmentations are asked for, as they need whole images on the device.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if getattr(self, 'batch_augments', None) is not None:
            raise ValueError(
                'batch_augments work on whole images on the device, which patch-wise training '
                'never has: move the augmentation into the data pipeline'
            )
        if not hasattr(self, '_channel_conversion'):  # mmseg 1.2.2 and mmpretrain call it otherwise
            other = 'channel_conversion' if hasattr(self, 'channel_conversion') else 'to_rgb'
            self._channel_conversion: bool = getattr(self, other)

    def cast_data(self, data: Any) -> Any:
        """Move labels to the device and leave ``inputs`` where they are.

        Args:
            data: A batch of the data loader: ``inputs``, a list of (C, H, W) images of any size,
                and ``data_samples``.
        """
        if isinstance(data, dict) and 'inputs' in data:
            rest = {key: value for key, value in data.items() if key != 'inputs'}
            return {'inputs': list(data['inputs']), **super().cast_data(rest)}
        return super().cast_data(data)

    def to_input(self, windows: Tensor) -> Tensor:
        """Move and normalise raw windows (K, C, height, width); gives floating point."""
        x = moved(windows, self.device)
        if self._channel_conversion and x.shape[1] == 3:
            x = x.flip(1)
        dtype = self.mean.dtype if self._enable_normalize else None
        x = x.to(dtype) if dtype is not None else x.float()
        return (x - self.mean) / self.std if self._enable_normalize else x
