"""Comparisons that belong together: the tables of the paper, and the bundled data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def _paper_detection(data: str) -> tuple[str, ...]:
    """Rows of a table of the paper on detection, and what else people would use."""
    return (
        *(f'baselines/{name}_{data}' for name in ('fcos', 'yolox', 'centernet', 'cornernet')),
        f'baselines/fcos_{data}-tiles',
        f'baselines/fcos_{data}-full',
        f'baselines/patch_fcos_{data}_no-global',
        f'patch_fcos_{data}',
        f'baselines/patch_fcos_{data}_exact',
    )


#: Configs of each suite, without ``configs/`` and ``.py``; the first name of a suite is its own,
#: ``table3`` and the like are the tables of the paper.
SUITES: dict[str, tuple[str, ...]] = {
    'yellowstone': (
        'baselines/fcos_lite0_yellowstone-1024',
        'baselines/yolox_lite0_yellowstone',
        'baselines/centernet_lite0_yellowstone',
        'baselines/fcos_lite0_yellowstone-tiles',
        'baselines/fcos_lite0_yellowstone-full',
        'baselines/fcos_lite0_yellowstone-full_checkpointing',
        'baselines/patch_fcos_yellowstone_no-global',
        'patch_fcos_yellowstone',
        'baselines/patch_fcos_yellowstone_exact',
        'patch_retinanet_yellowstone',
        'patch_yolox_yellowstone',
        'patch_centernet_yellowstone',
    ),
    'digits': (
        'baselines/mobilenetv2_digits-128',
        'baselines/patch_mobilenetv2_digits_no-global',
        'patch_mobilenetv2_digits',
        'baselines/patch_mobilenetv2_digits_exact',
        'baselines/mobilenetv2_digits',
    ),
    'nuclei': (
        'baselines/unet_nuclei-64',
        'baselines/unet_nuclei',
        'baselines/patch_unet_nuclei_no-global',
        'patch_unet_nuclei',
        'baselines/patch_unet_nuclei_exact',
    ),
    'panda': (
        'baselines/resnet50_panda-128',
        'baselines/resnet50_panda',
        'baselines/patch_resnet50_panda_no-global',
        'patch_resnet50_panda',
    ),
    'panda-2048': (
        'baselines/resnet50_panda-2048',
        'baselines/patch_resnet50_panda-2048_no-global',
        'patch_resnet50_panda-2048',
    ),
    'panda-4096': (
        'baselines/patch_resnet50_panda-4096_no-global',
        'patch_resnet50_panda-4096',
    ),
    'ultramnist': (
        'baselines/resnet50_ultramnist-256',
        'baselines/resnet50_ultramnist',
        'baselines/patch_resnet50_ultramnist_no-global',
        'patch_resnet50_ultramnist',
        'baselines/mobilenetv2_ultramnist-256',
        'baselines/mobilenetv2_ultramnist',
        'baselines/patch_mobilenetv2_ultramnist_no-global',
        'patch_mobilenetv2_ultramnist',
    ),
    'coco-mosaic': _paper_detection('coco-mosaic'),
    'soda': _paper_detection('soda'),
    'tju-pedestrian': _paper_detection('tju-pedestrian'),
    'tju-traffic': _paper_detection('tju-traffic'),
    'drive': (
        'baselines/unet_drive-128',
        'baselines/unet_drive',
        'patch_unet_drive',
        'baselines/patch_unet_drive_no-global',
        'baselines/deeplabv3_drive-128',
        'baselines/deeplabv3_drive',
        'patch_deeplabv3_drive',
        'baselines/patch_deeplabv3_drive_no-global',
    ),
    'aerial': (
        'baselines/unet_aerial-256',
        'baselines/unet_aerial',
        'patch_unet_aerial',
        'baselines/patch_unet_aerial_no-global',
        'baselines/deeplabv3_aerial-256',
        'baselines/deeplabv3_aerial',
        'patch_deeplabv3_aerial',
        'baselines/patch_deeplabv3_aerial_no-global',
    ),
}
SUITES |= {
    'table1': SUITES['panda'] + SUITES['panda-2048'] + SUITES['panda-4096'],
    'table2': SUITES['ultramnist'],
    'table3': SUITES['coco-mosaic'],
    'table4': SUITES['soda'],
    'table5': SUITES['tju-pedestrian'],
    'table6': SUITES['drive'],
    'table7': SUITES['aerial'],
}


def suite_configs(name: str, folder: Path) -> Sequence[Path]:
    """Files of a suite's configs.

    Args:
        name: Of the suite.
        folder: ``configs``.

    Raises:
        ValueError: If there is no such suite.
    """
    if name not in SUITES:
        raise ValueError(f'no suite {name!r}; there are {", ".join(SUITES)}')
    return [folder / f'{config}.py' for config in SUITES[name]]
