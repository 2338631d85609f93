# Stock U-Net on the whole image, with as many optimizer steps as ../patch_unet_nuclei.py makes.
#   python tools/train.py configs/baselines/unet_nuclei.py
_base_ = [
    '../_base_/models/unet.py',
    '../_base_/datasets/nuclei.py',
    '../_base_/default_runtime_seg.py',
]
norm_cfg = dict(type='GN', num_groups=4, requires_grad=True)
model = dict(
    data_preprocessor=dict(mean=[30.0], std=[25.0], bgr_to_rgb=False),
    backbone=dict(in_channels=1, base_channels=16, norm_cfg=norm_cfg),
    decode_head=dict(in_channels=16, channels=16, norm_cfg=norm_cfg),
)
max_epochs = 200
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=40)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=10),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, T_max=max_epochs),
]
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=40))
