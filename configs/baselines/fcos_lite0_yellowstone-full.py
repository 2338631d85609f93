# Stock FCOS on the whole image at full resolution: as ../patch_fcos_yellowstone.py in all but the
# patches (backbone, frozen blocks, head, optimizer, augmentation). What other baselines inherit.
#   python tools/train.py configs/baselines/fcos_lite0_yellowstone-full.py
_base_ = ['../patch_fcos_yellowstone.py', '../_base_/baselines/lite0.py']

model = dict(
    _delete_=True,
    type='FCOS',
    data_preprocessor=_base_.fcos_preprocessor,
    backbone={{_base_.model.backbone}},
    neck={{_base_.model.neck}},
    bbox_head=dict(
        init_cfg={{_base_.model.bbox_head.init_cfg}},
        loss_bbox={{_base_.model.bbox_head.loss_bbox}},
        **_base_.fcos_head,
    ),
    test_cfg={{_base_.model.test_cfg}},
)
train_pipeline = [
    *_base_.train_pipeline[:2],
    *_base_.train_pipeline[3:],
]  # the image is not cropped
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
max_epochs = 120
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
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=20))
