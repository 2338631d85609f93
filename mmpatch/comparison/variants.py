"""Rows that differ from their config in what many suites vary."""

from __future__ import annotations

from .row import Row


def without_global(config: str, *more: str) -> Row:
    """The row of PatchGD: patches alone, without the image as one more patch."""
    return Row(config, ('model.global_patch=False', *more), '_no-global')


def exact(config: str) -> Row:
    """The row of the exact gradient, which makes one step per batch."""
    overrides = ('train_cfg.gradient.type=exact', 'optim_wrapper.accumulative_counts=1')
    return Row(config, overrides, '_exact')


def at_size(side: int, config: str, size: str) -> Row:
    """The row of a stock model on images of another size.

    Args:
        side: Of the square images [px]; the row's name ends in it.
        config: The config.
        size: Where its pipelines set the size, for training and for test: index and argument of a
            transform, such as ``'2.scale 1.scale'``.
    """
    value = str(side) if '.size' in size else f'({side},{side})'
    return resized(config, size, value, f'-{side}')


def resized(config: str, size: str, value: object, variant: str) -> Row:
    """The row of a stock model whose pipelines resize to a value; ``size`` as in :func:`at_size`."""
    train, test = size.split()
    places = (('train', train), ('val', test), ('test', test))
    overrides = [
        f'{loader}_dataloader.dataset.pipeline.{place}={value}' for loader, place in places
    ]
    return Row(config, tuple(overrides), variant)


def with_patches(side: int, row: Row) -> Row:
    """A row with patches of another side [px]; the row's name ends in it."""
    return Row(row.config, (*row.overrides, f'model.patch_size={side}'), f'{row.variant}-{side}')


def checkpointed(row: Row) -> Row:
    """A row of a stock classifier that encodes again, in the backward pass, what it did not keep."""
    return Row(
        row.config, (*row.overrides, 'model.backbone.with_cp=True'), f'{row.variant}_checkpointing'
    )
