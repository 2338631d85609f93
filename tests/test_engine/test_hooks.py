from __future__ import annotations

import builtins
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.runner import Runner

from mmpatch.comparison.runs import memory_of
from mmpatch.engine.hooks import BaselineSettingsHook, MemoryHook, SafeCheckpointHook
from mmpatch.engine.hooks.memory_hook import MemoryLimitError
from mmpatch.engine.hooks.safe_checkpoint_hook import AtomicLocalBackend
from mmpatch.testing.tiny_detector import detector_cfg
from mmpatch.utils import peak_resident, resident_memory

RunTraining = Callable[..., Runner]


def test_a_full_disk_leaves_the_last_good_checkpoint(
    run_training: RunTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync
    calls = 0

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 4:  # a checkpoint and last_checkpoint, twice
            raise OSError(errno.ENOSPC, 'No space left on device')
        real(descriptor)

    monkeypatch.setattr(os, 'fsync', fsync)
    with pytest.raises(OSError, match=r'could not write .*epoch_3.pth .*No space left.*--resume'):
        run_training(train_cfg__max_epochs=4, train_cfg__inner_iterations=1)
    run = tmp_path / 'run'
    assert not list(run.glob('*epoch_3*')) and not list(run.glob('.*partial'))
    last = (run / 'last_checkpoint').read_text()
    assert last.endswith('epoch_2.pth')
    assert torch.load(last, weights_only=False)['meta']['epoch'] == 2


def test_a_half_written_file_never_replaces_a_whole_one(tmp_path: Path) -> None:
    target = tmp_path / 'a.pth'
    AtomicLocalBackend().put(b'old', target)
    with pytest.raises(TypeError):
        AtomicLocalBackend().put('not bytes', target)  # type: ignore[arg-type]
    assert target.read_bytes() == b'old'


def test_two_runs_that_write_the_same_file_do_not_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one begins and ends while the first one is between writing and moving."""
    target, real = tmp_path / 'a.pth', os.fsync

    def fsync(descriptor: int) -> None:
        monkeypatch.setattr(os, 'fsync', real)
        AtomicLocalBackend().put(b'second', target)
        assert target.read_bytes() == b'second'
        real(descriptor)

    monkeypatch.setattr(os, 'fsync', fsync)
    AtomicLocalBackend().put(b'first', target)
    assert target.read_bytes() == b'first' and list(tmp_path.iterdir()) == [target]


def test_last_checkpoint_is_replaced_as_a_whole(
    run_training: RunTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not opened for writing: that empties it before the new name is in it."""
    note, emptied, real = tmp_path / 'run' / 'last_checkpoint', [], builtins.open

    def opened(path: Any, mode: str = 'r', *args: Any, **kwargs: Any) -> Any:
        emptied.extend([mode] if str(path) == str(note) and 'w' in mode else [])
        return real(path, mode, *args, **kwargs)

    monkeypatch.setattr(builtins, 'open', opened)
    run_training(train_cfg__max_epochs=1, train_cfg__inner_iterations=1)
    assert not emptied and note.read_text() == str(tmp_path / 'run' / 'epoch_1.pth')


def iterate(hook: MemoryHook, runner: Any, size: int = 0) -> None:
    """An iteration that takes so much memory for a moment [bytes]."""
    hook.before_train_iter(runner, 0)
    block = b'x' * size
    time.sleep(0.05)
    del block
    hook.after_train_iter(runner, 0)


def test_memory_limit_leaves_validation_out() -> None:
    """The process's own peak only grows; this one has many tests behind it."""
    mib = 2**20

    def up_to(peak: int) -> int:  # asked anew: the tests before may give memory back any time
        return peak - resident_memory()

    hook = MemoryHook(limit=peak_resident() + 64 * mib)
    runner = SimpleNamespace(message_hub=MessageHub('limit'), iter=0)
    hook.before_train(runner)
    iterate(hook, runner)
    hook.before_val(runner)
    block = b'x' * up_to(hook.limit + 128 * mib)
    del block
    hook.after_val(runner)
    iterate(hook, runner)
    logged = runner.message_hub.get_scalar('train/peak_process').current() * 2**30
    assert logged < hook.limit < peak_resident()
    with pytest.raises(MemoryLimitError, match='more than the limit'):
        iterate(hook, runner, up_to(hook.limit + 64 * mib))  # below the validation's peak


def test_memory_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the training, in it, and after a validation that took more; no GPU is here."""
    device = dict(reserved=2.0, peak=2.0)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'memory_reserved', lambda: int(device['reserved'] * 2**30))
    monkeypatch.setattr(torch.cuda, 'max_memory_reserved', lambda: device['peak'] * 2**30)
    monkeypatch.setattr(torch.cuda, 'max_memory_allocated', lambda: device['peak'] * 2**30)
    monkeypatch.setattr(torch.cuda, 'empty_cache', lambda: device.update(reserved=2.0))
    reset = 'reset_peak_memory_stats'
    monkeypatch.setattr(torch.cuda, reset, lambda: device.update(peak=device['reserved']))
    hook = MemoryHook(limit='4GiB')
    runner = SimpleNamespace(message_hub=MessageHub('device'), iter=0)
    hook.before_train(runner)
    device.update(reserved=3.0, peak=3.0)
    iterate(hook, runner)
    hook.before_val(runner)
    device.update(reserved=9.0, peak=9.0)
    hook.after_val(runner)
    iterate(hook, runner)
    assert memory_of(dict(message_hub=runner.message_hub.state_dict()), 1.0) == (3.0, 2.0)
    device.update(peak=5.0)
    with pytest.raises(MemoryLimitError, match=r'training takes 5\.00 GiB'):
        iterate(hook, runner)


def test_memory_of_a_checkpoint_that_knows_the_host_alone() -> None:
    """Memory of the host is not taken off that of a GPU."""
    hub = MessageHub('old')
    hub.update_scalar('train/peak_reserved', 3.0)
    hub.update_info('idle_process', 2**30)
    assert memory_of(dict(message_hub=hub.state_dict()), 1.0) == (3.0, 0.0)
    assert memory_of({}, 1.5) == (1.5, 0.0)


def test_one_checkpoint_is_too_few() -> None:
    with pytest.raises(ValueError, match='keep at least 2'):
        SafeCheckpointHook(max_keep_ckpts=1)


@pytest.mark.parametrize('resume', [True, False])
def test_a_checkpoint_of_another_model_is_refused(
    run_training: RunTraining, tmp_path: Path, resume: bool
) -> None:
    other = tmp_path / 'other.pth'
    meta = dict(epoch=0, iter=0)
    torch.save(dict(state_dict={'fc.weight': torch.zeros(3)}, meta=meta, message_hub={}), other)
    with pytest.raises(ValueError, match=r'other.pth does not belong to this model: .*\(missing\)'):
        run_training(load_from=str(other), resume=resume)


def test_a_checkpoint_with_another_class_layer_can_be_refined(
    run_training: RunTraining, tmp_path: Path
) -> None:
    run_training(train_cfg__inner_iterations=1, train_cfg__max_epochs=1)
    saved = str(tmp_path / 'run' / 'epoch_1.pth')
    model: dict[str, Any] = detector_cfg(patch_size=64, head=dict(num_classes=4))
    options = dict(model=model, load_from=saved, train_cfg__inner_iterations=1)
    runner = run_training(work_dir=str(tmp_path / 'refined'), train_cfg__max_epochs=1, **options)
    assert runner.iter == 5
    with pytest.raises(ValueError, match=r'bbox_head.conv_cls.weight \(is \(3, 16, 3, 3\), needs'):
        run_training(work_dir=str(tmp_path / 'resumed'), resume=True, **options)


def test_a_baseline_gets_the_settings_of_a_patch_wise_model() -> None:
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 4, 3)
    )
    runner = SimpleNamespace(model=model.train())
    hook = BaselineSettingsHook(frozen=['0'], norm_eval=True, channels_last=True)
    hook.before_run(runner)
    model.train()
    hook.before_train_iter(runner, 0)
    assert [p.requires_grad for p in model.parameters()] == [False, False, True, True, True, True]
    assert not model[1].training and model[2].training
    assert model[2].weight.is_contiguous(memory_format=torch.channels_last)
    with pytest.raises(AttributeError, match='no_such_layer'):
        BaselineSettingsHook(frozen=['no_such_layer']).before_run(runner)


def test_checkpointed_blocks_behind_frozen_ones_are_trained() -> None:
    """mmengine's own setting leaves them without gradient, as their input needs none."""
    model = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(3)))
    calls: list[int] = []
    forward = model[1].forward
    model[1].forward = lambda x: calls.append(1) or forward(x)
    BaselineSettingsHook(frozen=['0'], activation_checkpointing=['1', '2']).before_run(
        SimpleNamespace(model=model)
    )
    model(torch.ones(1, 4)).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in model[1:].parameters())
    assert len(calls) == 2  # computed again in the backward pass
