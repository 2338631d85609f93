"""The suites of the paper: its data sets, and its tables under their numbers."""

from __future__ import annotations

from .row import Row
from .variants import at_size, exact, with_patches, without_global


def _one_device() -> tuple[Row, ...]:
    """The rows that the paper trained in 4 GB: aerial images, stock at 128 px, ours at 512 and 1024 px.

    The paper names neither the model of its last two rows nor their patches: here a U-Net and 128 px.
    """
    rows = [
        Row(row.config, (*row.overrides, 'train_dataloader.batch_size=5'), f'{row.variant}_batch-5')
        for model in ('deeplabv3', 'unet')
        for row in [at_size(128, f'baselines/{model}_aerial', '2.scale 1.scale')]
    ]
    ours = without_global('patch_unet_aerial', 'model.patch_size=128')  # of 1024 px
    smaller = at_size(512, 'patch_unet_aerial', '2.scale 1.scale').overrides
    rows.append(Row(ours.config, (*ours.overrides, *smaller), f'{ours.variant}-512'))
    rows.append(Row(ours.config, ours.overrides, f'{ours.variant}-1024'))
    return tuple(rows)


def _masks(data: str, side: int) -> tuple[Row, ...]:
    """Rows of a table of the paper on segmentation; ``side`` is that of a patch."""
    rows: list[Row] = []
    for model in ('unet', 'deeplabv3'):
        rows += [
            at_size(side, f'baselines/{model}_{data}', '2.scale 1.scale'),
            Row(f'baselines/{model}_{data}'),
            Row(f'patch_{model}_{data}'),
            without_global(f'patch_{model}_{data}'),
        ]
    return tuple(rows)


def _boxes(data: str) -> tuple[Row, ...]:
    """Rows of a table of the paper on detection, and what else people would use."""
    return (
        *(Row(f'baselines/{name}_{data}') for name in ('fcos', 'yolox', 'centernet', 'cornernet')),
        Row(f'baselines/fcos_{data}-tiles'),
        Row(f'baselines/fcos_{data}-full'),
        without_global(f'patch_fcos_{data}'),
        Row(f'patch_fcos_{data}'),
        exact(f'patch_fcos_{data}'),
    )


#: The rows of each data set.
_DATA_SETS: dict[str, tuple[Row, ...]] = {
    'panda': (
        at_size(128, 'baselines/resnet50_panda', '0.size 0.size'),
        Row('baselines/resnet50_panda'),
        without_global('patch_resnet50_panda'),
        Row('patch_resnet50_panda'),
    ),
    'panda-2048': (
        at_size(2048, 'baselines/resnet50_panda', '0.size 0.size'),
        without_global('patch_resnet50_panda-2048'),
        Row('patch_resnet50_panda-2048'),
    ),
    'panda-4096': (
        with_patches(128, without_global('patch_resnet50_panda-4096')),
        without_global('patch_resnet50_panda-4096'),
        with_patches(128, Row('patch_resnet50_panda-4096')),
        Row('patch_resnet50_panda-4096'),
    ),
    'ultramnist': tuple(
        row
        for model in ('resnet50', 'mobilenetv2')
        for row in (
            at_size(256, f'baselines/{model}_ultramnist', '1.scale 1.scale'),
            Row(f'baselines/{model}_ultramnist'),
            without_global(f'patch_{model}_ultramnist'),
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
        *(with_patches(128, Row(f'patch_{model}_aerial')) for model in ('unet', 'deeplabv3')),
    ),
    'aerial-4gb': _one_device(),
}

#: The rows of each data set, and of each table.
PAPER_SUITES: dict[str, tuple[Row, ...]] = _DATA_SETS | {
    'table1': _DATA_SETS['panda'] + _DATA_SETS['panda-2048'] + _DATA_SETS['panda-4096'],
    'table2': _DATA_SETS['ultramnist'],
    'table3': _DATA_SETS['coco-mosaic'],
    'table4': _DATA_SETS['soda'],
    'table5': _DATA_SETS['tju-pedestrian'],
    'table6': _DATA_SETS['drive'],
    'table7': _DATA_SETS['aerial'],
    'table8': _DATA_SETS['aerial-4gb'],
}
