"""Finds misspelt keys that mmengine would silently ignore."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.runner import Runner

#: Top-level keys that a Runner or the command line tools read beside ``Runner.__init__``'s.
TOOL_KEYS = ('auto_scale_lr', 'custom_imports', 'runner_type', 'work_dir', 'env_cfg', 'launcher')

#: Keys of a detector's ``test_cfg`` and ``train_cfg`` that mmdet's one-stage heads read.
TEST_CFG_KEYS = (
    'corner_topk',
    'deploy_nms_pre',
    'distance_threshold',
    'fuse_by_nms_pre',
    'max_per_img',
    'min_bbox_size',
    'multi_label',
    'nms',
    'nms_pre',
    'score_thr',
    'with_nms',
    'topk',
    'local_maximum_kernel',
    'yolox_style',
    'type',
)

#: Keys of a segmentor's ``test_cfg`` that mmseg's encoder-decoders read.
SEGMENTOR_TEST_CFG_KEYS = ('mode', 'crop_size', 'stride', 'type')

#: Names of the hooks that mmengine registers by default.
HOOK_KEYS = (
    'checkpoint',
    'logger',
    'param_scheduler',
    'runtime_info',
    'sampler_seed',
    'sync_buffers',
    'timer',
    'visualization',
)


def check_config(cfg: Config) -> None:
    """Check a config for keys that nobody would read.

    mmengine's Runner takes what it knows and ignores the rest, which may be variables of the
    config's author; so a top-level key is only refused if it looks like a misspelt known one.

    Args:
        cfg: A whole training or test config.

    Raises:
        ValueError: Names the key, where it stands, and what was probably meant.
    """
    runner_keys = tuple(inspect.signature(Runner.__init__).parameters)
    _check(cfg, (*runner_keys, *TOOL_KEYS), 'the config', strict=False)
    _check(cfg.get('default_hooks') or {}, HOOK_KEYS, 'default_hooks', strict=False)
    model = cfg.get('model') or {}
    keys = SEGMENTOR_TEST_CFG_KEYS if 'decode_head' in model else TEST_CFG_KEYS
    _check(model.get('test_cfg') or {}, keys, 'model.test_cfg', strict=True)
    for place, node in _typed_nodes(cfg.to_dict(), ''):
        if str(node['type']).startswith('mmpatch.'):
            _check_arguments(node, place)


def check_weights(cfg: Config) -> None:
    """Check that files of weights that a model starts from exist.

    Args:
        cfg: A whole training config.

    Raises:
        FileNotFoundError: Names the file, the part of the model, and what to do.
    """
    for place, node in _typed_nodes(cfg.to_dict().get('model') or {}, 'model'):
        path = str(node.get('checkpoint', ''))
        if node['type'] != 'Pretrained' or '://' in path or os.path.isfile(path):
            continue
        raise FileNotFoundError(
            f'{place.removesuffix(".init_cfg")} starts from the weights {path}, but there is no '
            f'such file in {os.getcwd()}. Make them first (the first lines of the config say how), '
            f'or start from random ones: --cfg-options {place}=None'
        )


def _check_arguments(node: dict[str, Any], place: str) -> None:
    """Compare a module's settings with the arguments of its class and the classes it extends."""
    cls = _find_class(str(node['type']))
    if cls is None:
        return
    known: set[str] = {'type', '_scope_'}
    for base in cls.__mro__:
        if '__init__' not in base.__dict__:
            continue
        parameters = inspect.signature(base.__init__).parameters.values()  # type: ignore[misc]
        known.update(p.name for p in parameters)
        if not any(p.kind == inspect.Parameter.VAR_KEYWORD for p in parameters):
            break
    _check(node, known, f'{place} ({node["type"]})', strict=True)


def _find_class(name: str) -> type | None:
    import mmpatch.registry as registries

    for registry in vars(registries).values():
        if isinstance(registry, Registry) and registry.scope == 'mmpatch':
            registry.import_from_location()
            found = registry.module_dict.get(name.removeprefix('mmpatch.'))
            if inspect.isclass(found):
                return found
    return None


def _check(keys: Iterable[str], known: Iterable[str], where: str, *, strict: bool) -> None:
    known = sorted(known)
    for key in keys:
        if key in known:
            continue
        close = get_close_matches(key, known, n=1, cutoff=0.6 if strict else 0.88)
        if close:
            raise ValueError(
                f'{where} has a key {key!r} that nobody reads: did you mean {close[0]!r}?'
            )
        if strict:
            raise ValueError(
                f'{where} has a key {key!r} that nobody reads; it takes {", ".join(known)}'
            )


def _typed_nodes(node: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """All dicts with a ``type`` below a node, with their dotted place."""
    if isinstance(node, dict):
        if 'type' in node:
            yield place, node
        for key, value in node.items():
            yield from _typed_nodes(value, f'{place}.{key}' if place else key)
    elif isinstance(node, (list, tuple)):
        for i, value in enumerate(node):
            yield from _typed_nodes(value, f'{place}[{i}]')
