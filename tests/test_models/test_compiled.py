"""theta1 through torch.compile: the same gradients, and a way on where it cannot be compiled."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from mmpatch.engine.gradients import ExactGradient, SampledGradient
from mmpatch.models import compiled
from mmpatch.models.compiled import Compiled
from mmpatch.testing.tasks import TASKS, Task, passes_of
from mmpatch.testing.tiny_detector import gradients

EAGER = dict(backend='aot_eager')  # traces as ever, and needs no compiler


def gradient_of(task: Task, strategy: Any, **settings: Any) -> tuple[Any, dict[str, Tensor]]:
    torch.manual_seed(0)
    model: Any = task.build(**settings)
    strategy(passes_of(task, model, every=1_000), [torch.tensor([1, 4, 5])])
    return model, gradients(model)


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize('strategy', [ExactGradient(2), SampledGradient()])
def test_compiled_models_have_the_same_gradients(task: Task, strategy: Any) -> None:
    _, expected = gradient_of(task, strategy)
    model, found = gradient_of(task, strategy, compile=EAGER)
    assert model._compiled._compiled is not None  # nothing went wrong on the way
    for name, grad in expected.items():
        assert (found[name] - grad).norm() <= 1e-5 * grad.norm() + 1e-12, name


def test_a_copy_runs_its_own_weights() -> None:
    model: Any = TASKS[0].build(compile=EAGER)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
        patches = torch.rand(1, 3, 64, 64).double()
        assert all((level == 0).all() for level in twin.theta1(patches))
        assert not all((level == 0).all() for level in model.theta1(patches))


def test_what_cannot_be_compiled_goes_on_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(compiled, 'print_log', lambda text, **_: said.append(text))

    def breaks(module: torch.nn.Module, x: Tensor) -> Tensor:
        print('a side effect')  # noqa: T201
        return x * 2 if float(x.sum()) > 0 else x

    run = Compiled(breaks, **EAGER)
    for _ in range(2):
        assert torch.equal(run(torch.nn.ReLU(), torch.ones(3)), torch.full((3,), 2.0))
    assert len(said) == 1 and said[0].startswith('ReLU cannot be compiled, and goes on as it is: ')


def test_errors_of_the_function_itself_are_raised() -> None:
    def wrong(module: torch.nn.Module, x: Tensor) -> Tensor:
        return x @ x

    with pytest.raises(RuntimeError, match='shapes cannot be multiplied'):
        Compiled(wrong, **EAGER)(torch.nn.ReLU(), torch.ones(2, 3))


def test_a_lack_of_memory_is_no_reason_not_to_compile() -> None:
    def full(*_: Any) -> None:
        raise torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate')

    run = Compiled(lambda module, x: x, **EAGER)
    run._compiled = full
    with pytest.raises(torch.cuda.OutOfMemoryError):
        run(torch.nn.ReLU(), torch.ones(3))
    assert run._compiled is full
