# Stock FCOS on the whole image at full resolution: as ../patch_fcos_scales.py in all but the patches
# (backbone, frozen blocks, head, optimizer, augmentation). What other baselines inherit.
#   python tools/train.py configs/baselines/fcos_lite0_scales-full.py
_base_ = ['../patch_fcos_scales.py']

model = dict(
    _delete_=True,
    type='FCOS',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[127.0, 127.0, 127.0],
        std=[128.0, 128.0, 128.0],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone={{_base_.model.backbone}},
    neck={{_base_.model.neck}},
    bbox_head=dict(
        type='mmpatch.LargeImageFCOSHead',  # mmdet's, with less memory in the assignment
        num_classes=1,
        in_channels=64,
        feat_channels=64,
        stacked_convs=1,
        strides=[8, 16, 32],
        regress_ranges=((-1, 48), (48, 96), (96, 1e8)),
        norm_cfg=dict(type='GN', num_groups=16, requires_grad=True),
        norm_on_bbox=True,
        centerness_on_reg=True,
        center_sampling=True,
        init_cfg={{_base_.model.bbox_head.init_cfg}},
        loss_bbox={{_base_.model.bbox_head.loss_bbox}},
    ),
    test_cfg={{_base_.model.test_cfg}},
)
train_pipeline = [
    *_base_.train_pipeline[:2],
    *_base_.train_pipeline[3:],
]  # the image is not cropped
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
max_epochs = 24
train_cfg = dict(
    _delete_=True, type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=10),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, T_max=max_epochs),
]
custom_hooks = [
    dict(type='mmpatch.DataCheckHook'),
    dict(type='NumClassCheckHook'),
    dict(type='mmpatch.CheckpointGuardHook'),
    dict(type='mmpatch.MemoryHook'),
    dict(
        type='mmpatch.BaselineSettingsHook',
        frozen={{_base_.model.frozen}},
        norm_eval=True,
        channels_last=True,
        activation_checkpointing=[],
    ),
]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=4))
