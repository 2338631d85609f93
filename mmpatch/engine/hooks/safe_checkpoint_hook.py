"""Checkpoints that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook

from mmpatch.registry import HOOKS
from mmpatch.utils.files import write_atomic


@register_backend('mmpatch_atomic', force=True)
class AtomicLocalBackend(LocalBackend):
    """mmengine's local files, written beside their place and moved there when complete."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file, or leave the one that is there as it is.

        Raises:
            OSError: If it could not be written, for example as the disk is full.
        """
        target = Path(filepath)
        try:
            write_atomic(target, obj)
        except OSError as error:
            raise OSError(
                error.errno,
                f'could not write {target} ({len(obj) / 2**20:.0f} MiB): {error.strerror}. '
                'Checkpoints written before are untouched: make room and start again with --resume',
            ) from error


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's :class:`CheckpointHook` that never leaves half a checkpoint behind.

    If the disk fills up while a checkpoint is written, the last good one stays, and
    ``last_checkpoint`` names it. A reader of ``last_checkpoint`` sees the old name or the new one.

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

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict[str, Any]) -> None:
        """Save, and replace ``last_checkpoint`` as a whole; mmengine empties it before it writes."""
        with TemporaryDirectory() as folder:
            super()._save_checkpoint_with_step(_WorkDir(runner, folder), step, meta)
            note = Path(folder, 'last_checkpoint')
            if note.is_file():  # in the main process
                write_atomic(Path(runner.work_dir, note.name), note.read_bytes())


class _WorkDir:
    """A runner with another work dir, into which mmengine writes nothing but ``last_checkpoint``."""

    def __init__(self, runner: Any, work_dir: str) -> None:
        self._runner = runner
        self.work_dir = work_dir

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)
