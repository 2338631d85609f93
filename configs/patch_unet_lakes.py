# Is water a lake, or the sea? Patches see the shores, the global patch sees which water is enclosed.
#   python tools/dataset_converters/lakes.py && python tools/train.py configs/patch_unet_lakes.py
_base_ = [
    '_base_/models/patch_unet.py',
    '_base_/models/parts/multiclass.py',
    '_base_/datasets/lakes.py',
    '_base_/default_runtime_seg.py',
]
norm_cfg = dict(type='GN', num_groups=4, requires_grad=True)
model = dict(
    global_loss=1.0,  # a step on four of 64 patches tells the global patch little of the image
    normalise_by='iteration',
    backbone=dict(base_channels=16, norm_cfg=norm_cfg),
    decode_head=dict(
        in_channels=16,
        channels=16,
        norm_cfg=norm_cfg,
        **_base_.multiclass,
        num_classes=3,
        out_channels=3,
    ),
)
max_epochs = 20
train_cfg = dict(
    type='mmpatch.PatchGDTrainLoop',
    max_epochs=max_epochs,
    val_interval=max_epochs,
    gradient=dict(type='sampled', fill=False),  # another image in every step
    sampled_patches=4,
    inner_iterations=1,
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=3e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=5),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, T_max=max_epochs),
]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=4))
