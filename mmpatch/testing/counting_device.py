"""A pretended accelerator on the host: it counts what would make a program wait for a real one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

aten = torch.ops.aten

#: What tensors of the pretended device say that they are on.
DEVICE = torch.device('meta')
INDEXING = {
    aten.index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
    aten._unsafe_index.Tensor,
}
#: Operations whose result, or the shape of it, the host has to know.
WAITING = {
    aten._local_scalar_dense.default,
    aten._unique2.default,
    aten.bincount.default,
    aten.equal.default,
    aten.masked_select.default,
    aten.nonzero.default,
    aten.repeat_interleave.Tensor,
    aten.unique_dim.default,
}
#: Operations that take no number of the host in place of a tensor.
STRICT = {'aten::cat', 'aten::stack'}


class OnDevice(torch.Tensor):
    """A tensor of the pretended device.

    Attributes:
        value: The same on the host.
    """

    value: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, value: Tensor) -> OnDevice:
        """Wrap a tensor of the host."""
        made: OnDevice = torch.Tensor._make_wrapper_subclass(
            cls,
            value.size(),
            strides=value.stride(),
            storage_offset=value.storage_offset(),
            dtype=value.dtype,
            layout=value.layout,
            device=DEVICE,
        )
        return made

    def __init__(self, value: Tensor) -> None:
        self.value = value

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        """Show the values."""
        return f'OnDevice({self.value})'

    def __getitem__(self, key: Any) -> Tensor:
        """A part; torch would make a list of numbers a tensor of the device, without a word."""
        whole = key if isinstance(key, tuple) else (key,)
        key = tuple(torch.tensor(part) if isinstance(part, list) else part for part in whole)
        return super().__getitem__(key)

    def new_tensor(self, data: Any, **kwargs: Any) -> Tensor:  # type: ignore[override]
        """Numbers as a tensor of the device."""
        return torch.tensor(data, **{'device': DEVICE, 'dtype': self.dtype, **kwargs})

    def tolist(self) -> Any:
        """The values; the host waits for them."""
        return self.to('cpu').tolist()

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Without a device that counts there is nobody to compute."""
        raise RuntimeError(f'{func} on the pretended device outside of its context')


class CountingDevice(TorchDispatchMode):
    """A device that computes on the host and counts transfers, waits and operations.

    As on a GPU, an operation on tensors of two devices is refused. Transfers that are asked not to
    block are free.

    Example::

        with CountingDevice() as device:
            device.take(model)
            ...
        print(device.waits, device.operations)

    Attributes:
        waits: How often the host would have waited for the device, by reason.
        operations: Operations on the device, but for views.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.operations = 0

    def __enter__(self) -> CountingDevice:
        """Pretend from now on."""
        self._patches = _python_level(self)
        self._patches.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        """End it."""
        super().__exit__(*args)
        self._patches.__exit__(*args)

    def take(self, model: nn.Module) -> None:
        """Move a model of mmpatch to the device."""
        for module in model.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    moved = nn.Parameter(OnDevice(parameter.detach()), parameter.requires_grad)
                    module._parameters[name] = moved
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = OnDevice(buffer.detach())
        model.data_preprocessor._device = DEVICE  # type: ignore[union-attr]

    def clear(self) -> None:
        """Count from zero."""
        self.waits.clear()
        self.operations = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Compute on the host, and count."""
        kwargs = dict(kwargs or {})
        tensors = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
        on_device = [x for x in tensors if isinstance(x, OnDevice)]
        asked = kwargs.get('device')
        target = None if asked is None else torch.device(asked)
        if not on_device and target != DEVICE:
            return func(*args, **kwargs)
        if func is aten._to_copy.default:
            return self._copy(func, args, kwargs, target)
        if func is aten.copy_.default:
            if isinstance(args[0], OnDevice) != isinstance(args[1], OnDevice):
                self._transfer('copy_', not_blocking=len(args) > 2 and args[2])
        else:
            self._check(func, args, tensors)
            if func in WAITING:
                self.waits[func._schema.name] += 1
            self.operations += not _is_view(func)
        if target is not None:
            kwargs['device'] = 'cpu'
        out = func(*tree_map(_host, args), **tree_map(_host, kwargs))
        if _writes_to_first(func) and isinstance(out, Tensor):
            return args[0]
        here = target == DEVICE if target is not None else bool(on_device)
        return tree_map(lambda x: _device(x) if here else x, out)

    def _copy(self, func: Any, args: Any, kwargs: dict[str, Any], target: Any) -> Tensor:
        """A copy to another device or type."""
        source = isinstance(args[0], OnDevice)
        here = source if target is None else target == DEVICE
        if source != here:
            name = 'to device' if here else 'to host'
            self._transfer(name, not_blocking=bool(kwargs.get('non_blocking')) and here)
        else:
            self.operations += 1
        kwargs.pop('device', None)
        value: Tensor = func(_host(args[0]), **kwargs)
        return OnDevice(value) if here else value

    def _transfer(self, name: str, not_blocking: bool) -> None:
        if not not_blocking:
            self.waits[name] += 1

    def _check(self, func: Any, args: Any, tensors: list[Tensor]) -> None:
        """Refuse tensors of two devices; an index on the host is moved, and waited for."""
        strangers = [x for x in tensors if not isinstance(x, OnDevice)]
        if func in INDEXING:
            indices = [x for x in args[1] if x is not None]
            for index in indices:
                if not isinstance(index, OnDevice):
                    self.waits['index on the host'] += 1
                elif index.dtype == torch.bool:
                    self.waits['index by mask'] += 1
            strangers = [x for x in strangers if not any(x is index for index in indices)]
        if func._schema.name not in STRICT:
            strangers = [x for x in strangers if x.ndim > 0]
        if strangers:
            raise RuntimeError(
                f'{func} got tensors of two devices; on the host: '
                f'{[tuple(x.shape) for x in strangers]}'
            )


def _host(x: Any) -> Any:
    return x.value if isinstance(x, OnDevice) else x


def _device(x: Any) -> Any:
    return OnDevice(x) if isinstance(x, Tensor) and not isinstance(x, OnDevice) else x


def _is_view(func: Any) -> bool:
    """Whether an operation only looks at a tensor in another way, so that nothing runs."""
    returns = [r.alias_info for r in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in returns)


def _writes_to_first(func: Any) -> bool:
    """Whether an operation changes its first argument and returns it."""
    arguments = func._schema.arguments
    alias = arguments[0].alias_info if arguments else None
    return bool(func._schema.is_mutable and alias is not None and alias.is_write)


@contextmanager
def _python_level(device: CountingDevice) -> Iterator[None]:
    """What torch does before any operation is dispatched."""
    originals = torch.tensor, torch.as_tensor, torch.autocast

    def made_on(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def tensor(data: Any, *args: Any, **kwargs: Any) -> Tensor:
            asked = kwargs.pop('device', None)
            if isinstance(data, OnDevice):
                return data.to(*args, **kwargs) if args or kwargs else data
            if asked is None or torch.device(asked) != DEVICE:
                return make(data, *args, device=asked, **kwargs)
            device.waits['to device'] += 1
            return OnDevice(make(data, *args, **kwargs))

        return tensor

    def autocast(device_type: str, *args: Any, **kwargs: Any) -> Any:
        if device_type == DEVICE.type:
            return nullcontext()
        return originals[2](device_type, *args, **kwargs)

    replaced = made_on(torch.tensor), made_on(torch.as_tensor), autocast
    try:
        torch.tensor, torch.as_tensor, torch.autocast = replaced  # type: ignore[assignment,misc]
        yield
    finally:
        torch.tensor, torch.as_tensor, torch.autocast = originals  # type: ignore[misc]
