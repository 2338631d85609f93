"""Comparisons that belong together: the tables of the paper, and the bundled data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .places import workshop
from .row import Row


def _without_global(config: str, *more: str) -> Row:
    """The row of PatchGD: patches alone, without the image as one more patch."""
    return Row(config, ('model.global_patch=False', *more), '_no-global')


def _exact(config: str) -> Row:
    """The row of the exact gradient, which makes one step per batch."""
    overrides = ('train_cfg.gradient.type=exact', 'optim_wrapper.accumulative_counts=1')
    return Row(config, overrides, '_exact')


def _at(side: int, config: str, size: str) -> Row:
    """The row of a stock model on images of another size.

    Args:
        side: Of the square images [px]; the row's name ends in it.
        config: The config.
        size: Where its pipelines set the size, for training and for test: index and argument of a
            transform, such as ``'2.scale 1.scale'``.
    """
    value = str(side) if '.size' in size else f'({side},{side})'
    return _resized(config, size, value, f'-{side}')


def _resized(config: str, size: str, value: object, variant: str) -> Row:
    """The row of a stock model whose pipelines resize to a value; ``size`` as in :func:`_at`."""
    train, test = size.split()
    places = (('train', train), ('val', test), ('test', test))
    overrides = [f'{loader}_dataloader.dataset.pipeline.{at}={value}' for loader, at in places]
    return Row(config, tuple(overrides), variant)


def _patches(side: int, row: Row) -> Row:
    """A row with patches of another side [px]; the row's name ends in it."""
    return Row(row.config, (*row.overrides, f'model.patch_size={side}'), f'{row.variant}-{side}')


def _checkpointed(row: Row) -> Row:
    """A row of a stock classifier that encodes again, in the backward pass, what it did not keep."""
    return Row(
        row.config, (*row.overrides, 'model.backbone.with_cp=True'), f'{row.variant}_checkpointing'
    )


def _one_device() -> tuple[Row, ...]:
    """The rows that the paper trained in 4 GB: aerial images, stock at 128 px, ours at 512 and 1024 px.

    The paper names neither the model of its last two rows nor their patches: here a U-Net and 128 px.
    """
    rows = [
        Row(row.config, (*row.overrides, 'train_dataloader.batch_size=5'), f'{row.variant}_batch-5')
        for model in ('deeplabv3', 'unet')
        for row in [_at(128, f'baselines/{model}_aerial', '2.scale 1.scale')]
    ]
    ours = _without_global('patch_unet_aerial', 'model.patch_size=128')  # of 1024 px
    smaller = _at(512, 'patch_unet_aerial', '2.scale 1.scale').overrides
    rows.append(Row(ours.config, (*ours.overrides, *smaller), f'{ours.variant}-512'))
    rows.append(Row(ours.config, ours.overrides, f'{ours.variant}-1024'))
    return tuple(rows)


def _masks(data: str, side: int) -> tuple[Row, ...]:
    """Rows of a table of the paper on segmentation; ``side`` is that of a patch."""
    rows: list[Row] = []
    for model in ('unet', 'deeplabv3'):
        rows += [
            _at(side, f'baselines/{model}_{data}', '2.scale 1.scale'),
            Row(f'baselines/{model}_{data}'),
            Row(f'patch_{model}_{data}'),
            _without_global(f'patch_{model}_{data}'),
        ]
    return tuple(rows)


def _boxes(data: str) -> tuple[Row, ...]:
    """Rows of a table of the paper on detection, and what else people would use."""
    return (
        *(Row(f'baselines/{name}_{data}') for name in ('fcos', 'yolox', 'centernet', 'cornernet')),
        Row(f'baselines/fcos_{data}-tiles'),
        Row(f'baselines/fcos_{data}-full'),
        _without_global(f'patch_fcos_{data}'),
        Row(f'patch_fcos_{data}'),
        _exact(f'patch_fcos_{data}'),
    )


#: Images that tell every patch what is inside.
_ORACLE = tuple(
    f'{split}_dataloader.dataset.data_prefix.img=images_oracle/'
    for split in ('train', 'val', 'test')
)
_BLOCKS = ','.join(f'backbone.timm_model.blocks.{stage}' for stage in range(2, 7))

#: Where the bundled baselines set the share of the sides that they keep.
_FACTOR = '2.scale_factor 1.scale_factor'

#: For rows whose global patch rides along with the patches, or that have none.
_RIDING = 'train_cfg.global_iteration=False'

#: The rows of each suite. The first name of a suite is its own, ``table3`` and the like are the
#: tables of the paper.
SUITES: dict[str, tuple[Row, ...]] = {
    'yellowstone': (
        # 1024 px is the larger image then, as the paper's FCOS has it (800 x 1024)
        _resized('baselines/fcos_lite0_yellowstone', _FACTOR, 0.41, '-1024'),
        Row('baselines/yolox_lite0_yellowstone'),
        Row('baselines/centernet_lite0_yellowstone'),
        Row('baselines/fcos_lite0_yellowstone-tiles'),
        Row('baselines/fcos_lite0_yellowstone-full'),
        Row(
            'baselines/fcos_lite0_yellowstone-full',
            (f'custom_hooks.4.activation_checkpointing={_BLOCKS},neck',),
            '_checkpointing',
        ),
        _without_global('patch_fcos_yellowstone'),
        Row('patch_fcos_yellowstone'),
        Row('baselines/patch_fcos_yellowstone_exact'),
        _without_global('baselines/patch_fcos_yellowstone_exact'),
        Row('patch_retinanet_yellowstone'),
        Row('patch_yolox_yellowstone'),
        Row('patch_centernet_yellowstone'),
    ),
    'scales': (
        Row('baselines/fcos_lite0_scales'),
        Row('baselines/yolox_lite0_scales'),
        Row('baselines/centernet_lite0_scales'),
        Row('baselines/fcos_lite0_scales-tiles'),
        Row('baselines/fcos_lite0_scales-two-scale'),
        Row(
            'baselines/fcos_lite0_scales-full',
            (f'custom_hooks.4.activation_checkpointing={_BLOCKS},neck',),
            '_checkpointing',
        ),
        _without_global('patch_fcos_scales', _RIDING),
        Row(
            'patch_fcos_scales', ('model.fuse=True', 'model.global_frame=False', _RIDING), '_fused'
        ),
        Row('patch_fcos_scales'),
        Row('patch_fcos_scales', ('model.fuse=True', _RIDING), '_both'),
        Row('patch_fcos_scales', ('train_cfg.gradient=exact',), '_exact'),
    ),
    'inside': (
        Row('baselines/fcos_lite0_inside'),
        Row('baselines/fcos_lite0_inside-tiles'),
        Row('baselines/fcos_lite0_inside-two-scale'),
        Row(
            'baselines/fcos_lite0_inside-full',
            (f'custom_hooks.4.activation_checkpointing={_BLOCKS},neck',),
            '_checkpointing',
        ),
        Row('baselines/fcos_lite0_inside-tiles', _ORACLE, '_oracle'),
        _without_global('patch_fcos_inside'),
        Row('patch_fcos_inside', ('model.fuse=False',), '_frames'),
        Row('patch_fcos_inside'),
        Row('patch_fcos_inside', ('train_cfg.gradient.chunk_size=1',), '_chunk-1'),
        Row('patch_fcos_inside', ('train_cfg.gradient=exact',), '_exact'),
    ),
    'lakes': (
        Row('baselines/unet_lakes-256'),
        Row('baselines/unet_lakes-tiles'),
        Row(
            'baselines/unet_lakes',
            ('custom_hooks.3.activation_checkpointing=backbone.encoder.0,backbone.decoder.3',),
            '_checkpointing',
        ),
        _without_global('patch_unet_lakes'),
        Row('patch_unet_lakes'),
        Row('patch_unet_lakes', ('train_cfg.gradient=exact',), '_exact'),
    ),
    'digits': (
        _at(128, 'baselines/mobilenetv2_digits', '1.scale 1.scale'),
        _without_global('patch_mobilenetv2_digits', 'model.aggregator.in_channels=80'),
        Row('patch_mobilenetv2_digits'),
        Row(
            'patch_mobilenetv2_digits',
            ('train_cfg.gradient.type=exact', 'train_cfg.gradient.chunk_size=8'),
            '_exact',
        ),
        Row('baselines/mobilenetv2_digits'),
    ),
    'sums': (
        Row('baselines/mobilenetv2_sums'),
        Row('baselines/mobilenetv2_sums-tiles'),
        Row('baselines/mil_mobilenetv2_sums'),
        _checkpointed(_at(2048, 'baselines/mobilenetv2_sums', '1.scale 1.scale')),
        Row('baselines/mobilenetv2_sums-oracle'),
        Row('baselines/patch_mobilenetv2_sums-counts'),
        Row('patch_mobilenetv2_sums'),
        Row('patch_mobilenetv2_sums', ('train_cfg.gradient.type=exact',), '_exact'),
    ),
    'nuclei': (
        Row('baselines/unet_nuclei-64'),
        Row('baselines/unet_nuclei'),
        _without_global('patch_unet_nuclei'),
        Row('patch_unet_nuclei'),
        Row('baselines/patch_unet_nuclei_exact'),
    ),
    'nuclei-options': (
        _resized('baselines/unet_nuclei-64', _FACTOR, 0.25, '_at-128'),
        Row('patch_unet_nuclei'),
        Row('patch_unet_nuclei', ('model.latent_stride=2',), '_stride-2'),
        Row('patch_unet_nuclei', ('model.latent_stride=4',), '_stride-4'),
        Row('patch_unet_nuclei', ('model.loss_region=full',), '_score-all'),
    ),
    'yellowstone-options': (
        Row('patch_fcos_yellowstone'),
        Row('patch_fcos_yellowstone', ('model.bbox_head.loss_region=full',), '_score-all'),
    ),
    'panda': (
        _at(128, 'baselines/resnet50_panda', '0.size 0.size'),
        Row('baselines/resnet50_panda'),
        _without_global('patch_resnet50_panda'),
        Row('patch_resnet50_panda'),
    ),
    'panda-2048': (
        _at(2048, 'baselines/resnet50_panda', '0.size 0.size'),
        _without_global('patch_resnet50_panda-2048'),
        Row('patch_resnet50_panda-2048'),
    ),
    'panda-4096': (
        _patches(128, _without_global('patch_resnet50_panda-4096')),
        _without_global('patch_resnet50_panda-4096'),
        _patches(128, Row('patch_resnet50_panda-4096')),
        Row('patch_resnet50_panda-4096'),
    ),
    'ultramnist': tuple(
        row
        for model in ('resnet50', 'mobilenetv2')
        for row in (
            _at(256, f'baselines/{model}_ultramnist', '1.scale 1.scale'),
            Row(f'baselines/{model}_ultramnist'),
            _without_global(f'patch_{model}_ultramnist'),
            Row(f'patch_{model}_ultramnist'),
        )
    ),
    'coco-mosaic': _boxes('coco-mosaic'),
    'soda': _boxes('soda'),
    'tju-pedestrian': _boxes('tju-pedestrian'),
    'tju-traffic': _boxes('tju-traffic'),
    'drive': _masks('drive', 128),
    'aerial': (
        *_masks('aerial', 256),
        *(_patches(128, Row(f'patch_{model}_aerial')) for model in ('unet', 'deeplabv3')),
    ),
    'aerial-4gb': _one_device(),
}
SUITES |= {
    'table1': SUITES['panda'] + SUITES['panda-2048'] + SUITES['panda-4096'],
    'table2': SUITES['ultramnist'],
    'table3': SUITES['coco-mosaic'],
    'table4': SUITES['soda'],
    'table5': SUITES['tju-pedestrian'],
    'table6': SUITES['drive'],
    'table7': SUITES['aerial'],
    'table8': SUITES['aerial-4gb'],
}


def suite_rows(name: str) -> list[Row]:
    """The rows of a suite, with the files of their configs.

    Args:
        name: Of the suite.

    Raises:
        ValueError: If there is no such suite.
    """
    if name not in SUITES:
        raise ValueError(f'no suite {name!r}; there are {", ".join(SUITES)}')
    return [_with_file(row) for row in SUITES[name]]


def find_row(given: str) -> Row:
    """The row that a user means.

    Args:
        given: A config's file, or the name of a row of any suite.

    Raises:
        ValueError: If there is neither.
    """
    if Path(given).is_file():
        return Row(Path(given))
    for row in (row for rows in SUITES.values() for row in rows):
        if row.name == given:
            return _with_file(row)
    raise ValueError(
        f'no config at {given}, and no row of that name: give the path of a config, or a name that '
        '`tools/compare.py --list` prints'
    )


def list_rows(rows: Sequence[Row]) -> str:
    """The names of rows, each above the command that trains the row alone."""
    return '\n'.join(f'# {row.name}\n{row.command()}' for row in rows)


def _with_file(row: Row) -> Row:
    """A row of a suite whose config is a path."""
    return Row(workshop() / 'configs' / f'{row.config}.py', row.overrides, row.variant)
