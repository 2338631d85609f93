"""Checkpoints are read without running what they hold."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub

from mmpatch.utils import load_checkpoint


class Runs:
    """Pickled as a call of a function."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call[0], self.call[1:]


def test_what_a_training_saves(tmp_path: Path) -> None:
    hub = MessageHub('saved')
    for value in (1.0, 2.0):
        hub.update_scalar('train/loss', value)
    hub.update_info('best_score', np.float32(0.5))
    hub.update_info('names', np.array(['a', 'b']))
    state = dict(
        state_dict=dict(w=torch.arange(3)),
        message_hub=hub.state_dict(),
        meta=dict(epoch=3, dataset_meta=dict(classes=('a',), palette=[(1, 2, 3)])),
    )
    torch.save(state, tmp_path / 'a.pth')
    found = load_checkpoint(tmp_path / 'a.pth')
    assert found['state_dict']['w'].tolist() == [0, 1, 2] and found['meta'] == state['meta']
    loss = found['message_hub']['log_scalars']['train/loss']
    assert loss.data[0].tolist() == [1.0, 2.0] and loss.statistics('max') == 2.0
    assert found['message_hub']['runtime_info']['best_score'] == np.float32(0.5)


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        ((os.system, 'touch ran'), 'system'),
        ((eval, '__import__("pathlib").Path("ran").touch()'), 'eval'),
        ((getattr, os, 'system'), 'os'),
        ((getattr, torch.Tensor, '__init__'), r'getattr.* is not allowed'),
        ((getattr, MessageHub('x'), 'get_info'), 'MessageHub'),
    ],
)
def test_code_does_not_run(
    call: tuple[Any, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if call[1] is os:
        call = (getattr, Runs(__import__, 'os'), 'system')
        message = '__import__'
    torch.save(dict(state_dict={}, meta=Runs(*call)), 'bad.pth')
    with pytest.raises(ValueError, match=rf'bad.pth holds more than weights.*{message}'):
        load_checkpoint('bad.pth')
    assert not Path('ran').exists()
