# The bundled segmentation example: cell nuclei, patches of 64 px, a small U-Net on a CPU.
#   python tools/dataset_converters/nuclei.py && python tools/train.py configs/patch_unet_nuclei.py
_base_ = [
    '_base_/models/patch_unet.py',
    '_base_/datasets/nuclei.py',
    '_base_/default_runtime_seg.py',
]
norm_cfg = dict(type='GN', num_groups=4, requires_grad=True)
model = dict(
    patch_size=64,
    data_preprocessor=dict(mean=[30.0], std=[25.0], bgr_to_rgb=False),
    backbone=dict(in_channels=1, base_channels=16, norm_cfg=norm_cfg),
    decode_head=dict(in_channels=16, channels=16, norm_cfg=norm_cfg),
)
max_epochs = 100
train_cfg = dict(
    type='mmpatch.PatchGDTrainLoop',
    max_epochs=max_epochs,
    val_interval=20,
    sampling_rate=0.1,
    inner_iterations=4,
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3), accumulative_counts=2
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=5),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, T_max=max_epochs),
]
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=20), visualization=dict(draw=True, interval=1)
)
