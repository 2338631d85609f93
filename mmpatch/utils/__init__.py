"""Helpers of the command line tools."""

from .checkpoints import load_checkpoint
from .config_check import check_config, check_weights
from .launch import load_config
from .memory import peak_memory, peak_resident, resident_memory

__all__ = [
    'check_config',
    'check_weights',
    'load_checkpoint',
    'load_config',
    'peak_memory',
    'peak_resident',
    'resident_memory',
]
