"""mmpatch: patch-wise training of vision models on very large images, for OpenMMLab."""

try:
    from mmengine.config.utils import MODULE2PACKAGE
except ImportError as error:
    raise ImportError(
        'mmpatch works over OpenMMLab, and mmengine is not installed. `make env` in the checkout '
        'installs everything; otherwise install mmengine, mmcv, mmdet, mmsegmentation and '
        'mmpretrain (or their maintained onedl-* builds) first.'
    ) from error

from .version import __version__

# `_base_ = 'mmpatch::...'`: mmengine only looks up packages that are in its table. With the name of
# a module, not of a distribution, Python's import system is asked, which also knows editable installs.
MODULE2PACKAGE.setdefault('mmpatch', 'mmpatch.version')

__all__ = ['__version__']
