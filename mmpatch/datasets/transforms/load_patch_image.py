"""Loading of very large images that are whole, or an error that names the file."""

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio
from mmengine.logging import print_log
from PIL import Image, ImageOps

from mmpatch.registry import TRANSFORMS

ON_ERROR = ('raise', 'skip')
EXIF_ORIENTATION = 0x0112
#: Modes of pillow that hold more than 8 bits a channel in one channel.
HIGH_DEPTH_MODES = ('I', 'F')


class UnsupportedDepthError(ValueError):
    """The file is whole, but its values have no agreed meaning as 8-bit colours."""


@TRANSFORMS.register_module(name=['LoadPatchImage', 'LoadImageFromFile'])
class LoadPatchImage(LoadImageFromFile):
    """Decode an image of any size by pillow into BGR ``uint8`` (H, W, 3), or say which file is broken.

    A test pipeline names it ``dict(type='LoadImageFromFile', _scope_='mmpatch')``. The Inferencers of
    the host libraries look for a first step of exactly that name and put their own loader in its place.
    The loaders of mmdet and mmseg build ``LoadImageFromFile`` again, which is this class in the scope
    ``mmpatch``; so training, testing and Inferencers read alike.

    OpenCV, mmcv's default, fills the missing part of a truncated file with grey, and refuses images
    over 2^30 pixels; pillow raises on the first, and its own limit is lifted here. Greyscale,
    palette and CMYK images become three channels, alpha is dropped, the EXIF orientation is applied
    as OpenCV does. 16-bit images are reduced to their upper byte (0..65535 becomes 0..255), with one
    warning per worker: rescale the files if they use only a part of that range. Other depths (32-bit
    integers, floats) have no agreed range and are errors.

    Required keys: ``img_path``; optional ``test_mode``. Added keys: ``img`` (H, W, 3),
    ``img_shape`` (H, W), ``ori_shape`` (H, W), ``scale_factor`` (1, 1).

    Args:
        to_float32: Whether to give ``float32`` instead of ``uint8``.
        on_error: ``'raise'`` stops at a file that is missing, unreadable or truncated. ``'skip'``
            returns None, so that mmengine's dataset draws another image in training, and logs a
            warning once a file with a running count (of the dataloader's worker). Where
            ``test_mode`` is set there is no other image to draw, and ``'skip'`` raises too.
        backend_args: Of :func:`mmengine.fileio.get`.

    Raises:
        ValueError: If ``on_error`` is none of these.
    """

    def __init__(
        self,
        to_float32: bool = False,
        on_error: str = 'raise',
        *,
        backend_args: dict[str, Any] | None = None,
    ) -> None:
        if on_error not in ON_ERROR:
            raise ValueError(
                f'on_error={on_error!r}: expected one of {", ".join(map(repr, ON_ERROR))}'
            )
        super().__init__(
            to_float32=to_float32, imdecode_backend='pillow', backend_args=backend_args
        )
        self.on_error = on_error
        self._skipped: set[str] = set()
        self._warned_of_depth = False

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Load the image of ``results['img_path']``.

        Args:
            results: The image's dict.

        Returns:
            The dict with the image, or None with ``on_error='skip'``.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file cannot be decoded to its end, or has an unsupported depth.
        """
        path = results['img_path']
        try:
            image = self._load(path)
        except (FileNotFoundError, ValueError) as error:
            if self.on_error == 'raise' or results.get('test_mode', False):
                raise
            if path not in self._skipped:
                self._skipped.add(path)
                print_log(
                    f'skipped ({len(self._skipped)} so far): {error}',
                    logger='current',
                    level=logging.WARNING,
                )
            return None
        if self.to_float32:
            image = image.astype(np.float32)
        results['img'] = image
        results['img_shape'] = image.shape[:2]
        results['ori_shape'] = image.shape[:2]
        # mmdet maps predictions back by it and fails without; a later Resize overwrites it.
        results['scale_factor'] = (1.0, 1.0)
        return results

    def _load(self, path: str) -> npt.NDArray[np.uint8]:
        """Read and decode one file, turning whatever goes wrong into one error that names it."""
        try:
            content = fileio.get(path, backend_args=self.backend_args)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'no image at {Path(path).absolute()}: check data_root and data_prefix, and that '
                'the data set is whole'
            ) from error
        try:
            with _open_unlimited(content) as image:
                return self._to_bgr(image, path)
        except (MemoryError, UnsupportedDepthError):
            raise
        except Exception as error:  # a broken file may raise anything, from OSError to struct.error
            raise ValueError(
                f'cannot decode {path} ({error}; {len(content)} bytes): fetch the file again, '
                "remove it from the annotations, or set on_error='skip' in LoadPatchImage to leave "
                'such files out in training'
            ) from error

    def _to_bgr(self, image: Image.Image, path: str) -> npt.NDArray[np.uint8]:
        """Turn an opened image into BGR uint8, shape (H, W, 3)."""
        is_16_bit = image.mode.startswith('I;16') or _raw_depth_is_16(image)
        if image.mode in HIGH_DEPTH_MODES and not is_16_bit:
            raise UnsupportedDepthError(
                f'{path} holds 32-bit values (pillow mode {image.mode!r}), which have no agreed '
                'range: convert it to 8 or 16 bits a channel'
            )
        if is_16_bit and not self._warned_of_depth:
            self._warned_of_depth = True
            print_log(
                f'{path} has 16 bits a channel: the upper byte is taken (0..65535 becomes '
                '0..255). If your files use a part of that range only, rescale them first. Said '
                'once, other files may be the same',
                logger='current',
                level=logging.WARNING,
            )
        if image.getexif().get(EXIF_ORIENTATION, 1) != 1:
            image = ImageOps.exif_transpose(image)
        if image.mode.startswith('I'):
            grey = (np.asarray(image).astype(np.int64) >> 8).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        rgb = np.asarray(image if image.mode == 'RGB' else image.convert('RGB'))
        return np.ascontiguousarray(rgb[..., ::-1])

    def __repr__(self) -> str:
        """Name the settings."""
        return f'{type(self).__name__}(to_float32={self.to_float32}, on_error={self.on_error!r})'


def _open_unlimited(content: bytes) -> Image.Image:
    """Open an image without pillow's limit on pixels, which is a guard for web services."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        return Image.open(io.BytesIO(content))
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _raw_depth_is_16(image: Image.Image) -> bool:
    """Say whether the file stores 16 bits a channel, also where pillow gives 8 of them without a word."""
    return any(
        ';16' in str(argument) for tile in getattr(image, 'tile', []) for argument in tile[3:]
    )
