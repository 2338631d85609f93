"""Helpers of the command line tools."""

from .config_check import check_config
from .launch import load_config
from .memory import available_memory, peak_memory, resident_memory

__all__ = [
    'available_memory',
    'check_config',
    'load_config',
    'peak_memory',
    'resident_memory',
]
