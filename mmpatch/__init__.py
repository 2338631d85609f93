"""mmpatch: patch-wise training of vision models on very large images, for OpenMMLab."""

from .version import __version__

__all__ = ['__version__']
