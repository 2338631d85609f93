"""Finds data sets that do not fit the model, before the first step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import DATASETS
from mmengine.runner import BaseLoop, Runner

from mmpatch.datasets.metainfo import check_metainfo
from mmpatch.registry import HOOKS

#: Where models of the three tasks keep the part that knows the number of classes.
HEADS = ('bbox_head', 'decode_head', 'head')


@HOOKS.register_module()
class DataCheckHook(Hook):
    """Compares classes and palettes of all data sets with each other and with the model.

    Before a training it also looks at the test set, which is not built yet. Without it, a wrong number
    of colours or classes there shows up when the training is over.
    """

    def before_run(self, runner: Runner) -> None:
        """Check the data sets of training, validation and test.

        Raises:
            ValueError: If classes, palettes and the model's number of classes do not fit together.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        first: tuple[str, list[str]] | None = None
        for owner, meta in _metainfos(runner):
            check_metainfo(meta, owner)
            names = list(meta.get('classes') or ())
            if not names:
                continue
            first = first or (owner, names)
            if names != first[1]:
                raise ValueError(
                    f'{owner} has the classes {names}, {first[0]} has {first[1]}: set the same '
                    'metainfo in all dataloaders'
                )
            for head in HEADS:
                count = _num_classes(model, head)
                if count is not None and count != len(names):
                    raise ValueError(
                        f'{owner} has {len(names)} classes, {names}, but model.{head} has '
                        f'num_classes={count}: set num_classes={len(names)} there, or correct the '
                        'metainfo of the data set'
                    )


def _num_classes(model: Any, head: str) -> int | None:
    count = getattr(getattr(model, head, None), 'num_classes', None)
    if not isinstance(count, int):
        return None
    # A head for binary masks may count the foreground alone.
    return max(count, 2) if head == 'decode_head' else count


def _metainfos(runner: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Metainfo of the data sets that a run uses; of all three if it is a training."""
    training = isinstance(runner._train_loop, BaseLoop)
    for part in ('train', 'val', 'test'):
        owner = f'{part}_dataloader'
        loop = getattr(runner, f'_{part}_loop')
        loader = getattr(runner, f'_{owner}')
        if isinstance(loop, BaseLoop):
            yield owner, getattr(loop.dataloader.dataset, 'metainfo', {})
        elif training and isinstance(loader, Mapping):
            yield owner, _of_config(loader['dataset'])


def _of_config(cfg: Mapping[str, Any]) -> Mapping[str, Any]:
    """Metainfo that a data set will have, without reading its files."""
    while 'dataset' in cfg:  # RepeatDataset and other wrappers
        cfg = cfg['dataset']
    with DATASETS.switch_scope_and_registry(cfg.get('_scope_')) as registry:
        cls = registry.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']
    known = getattr(cls, 'METAINFO', None) or {}
    return {**known, **(cfg.get('metainfo') or {})}
