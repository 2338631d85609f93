"""Checkpoints that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook

from mmpatch.registry import HOOKS


@register_backend('mmpatch_atomic', force=True)
class AtomicLocalBackend(LocalBackend):
    """mmengine's local files, written beside their place and moved there when complete."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file, or leave the one that is there as it is.

        Raises:
            OSError: If it could not be written, for example as the disk is full.
        """
        target = Path(filepath)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f'.{target.name}.partial')
        try:
            with open(partial, 'wb') as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise OSError(
                error.errno,
                f'could not write {target} ({len(obj) / 2**20:.0f} MiB): {error.strerror}. '
                'Checkpoints written before are untouched: make room and start again with --resume',
            ) from error


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's :class:`CheckpointHook` that never leaves half a checkpoint behind.

    If the disk fills up while a checkpoint is written, the last good one stays, and
    ``last_checkpoint`` names it.

    Args:
        max_keep_ckpts: As in :class:`CheckpointHook`, which removes the oldest checkpoint before
            it writes the new one; so at least 2, or -1 for all.

    Raises:
        ValueError: If ``max_keep_ckpts`` is 0 or 1.
    """

    def __init__(self, *args: Any, max_keep_ckpts: int = 3, **kwargs: Any) -> None:
        if max_keep_ckpts in (0, 1):
            raise ValueError(
                'max_keep_ckpts=1 would remove the last good checkpoint before the new one is '
                'written: keep at least 2, or -1 for all'
            )
        kwargs.setdefault('backend_args', dict(backend='mmpatch_atomic'))
        super().__init__(*args, max_keep_ckpts=max_keep_ckpts, **kwargs)
