"""The suites on data that the converters make without a download by hand."""

from __future__ import annotations

from .row import Row
from .variants import at_size, checkpointed, resized, without_global

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


def _checkpointed(config: str) -> Row:
    """A row on the whole image that encodes again, in the backward pass, what it did not keep."""
    parts = f'custom_hooks.4.activation_checkpointing={_BLOCKS},neck'
    return Row(config, (parts,), '_checkpointing')


#: The rows of each suite.
BUNDLED_SUITES: dict[str, tuple[Row, ...]] = {
    'yellowstone': (
        # 1024 px is the larger image then, as the paper's FCOS has it (800 x 1024)
        resized('baselines/fcos_lite0_yellowstone', _FACTOR, 0.41, '-1024'),
        Row('baselines/yolox_lite0_yellowstone'),
        Row('baselines/centernet_lite0_yellowstone'),
        Row('baselines/fcos_lite0_yellowstone-tiles'),
        Row('baselines/fcos_lite0_yellowstone-full'),
        _checkpointed('baselines/fcos_lite0_yellowstone-full'),
        without_global('patch_fcos_yellowstone'),
        Row('patch_fcos_yellowstone'),
        Row('baselines/patch_fcos_yellowstone_exact'),
        without_global('baselines/patch_fcos_yellowstone_exact'),
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
        _checkpointed('baselines/fcos_lite0_scales-full'),
        without_global('patch_fcos_scales', _RIDING),
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
        _checkpointed('baselines/fcos_lite0_inside-full'),
        Row('baselines/fcos_lite0_inside-tiles', _ORACLE, '_oracle'),
        without_global('patch_fcos_inside'),
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
        without_global('patch_unet_lakes'),
        Row('patch_unet_lakes'),
        Row('patch_unet_lakes', ('train_cfg.gradient=exact',), '_exact'),
    ),
    'digits': (
        at_size(128, 'baselines/mobilenetv2_digits', '1.scale 1.scale'),
        without_global('patch_mobilenetv2_digits', 'model.aggregator.in_channels=80'),
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
        checkpointed(at_size(2048, 'baselines/mobilenetv2_sums', '1.scale 1.scale')),
        Row('baselines/mobilenetv2_sums-oracle'),
        Row('baselines/patch_mobilenetv2_sums-counts'),
        Row('patch_mobilenetv2_sums'),
        Row('patch_mobilenetv2_sums', ('train_cfg.gradient.type=exact',), '_exact'),
    ),
    'nuclei': (
        Row('baselines/unet_nuclei-64'),
        Row('baselines/unet_nuclei'),
        without_global('patch_unet_nuclei'),
        Row('patch_unet_nuclei'),
        Row('baselines/patch_unet_nuclei_exact'),
    ),
    'nuclei-options': (
        resized('baselines/unet_nuclei-64', _FACTOR, 0.25, '_at-128'),
        Row('patch_unet_nuclei'),
        Row('patch_unet_nuclei', ('model.latent_stride=2',), '_stride-2'),
        Row('patch_unet_nuclei', ('model.latent_stride=4',), '_stride-4'),
        Row('patch_unet_nuclei', ('model.loss_region=full',), '_score-all'),
    ),
    'yellowstone-options': (
        Row('patch_fcos_yellowstone'),
        Row('patch_fcos_yellowstone', ('model.bbox_head.loss_region=full',), '_score-all'),
    ),
}
