"""Helpers of the command line tools."""

from .config_check import check_config
from .memory import peak_memory

__all__ = ['check_config', 'peak_memory']
