# RetinaNet, patch by patch, on the trees: mmdet's own head reads the feature maps of all patches
# side by side, fused with those of the whole image.
#   python tools/train.py configs/patch_retinanet_yellowstone.py
_base_ = ['./patch_fcos_yellowstone.py']
model = dict(
    bbox_head=dict(
        _delete_=True,
        type='RetinaHead',
        num_classes=1,
        in_channels=64,
        feat_channels=64,
        stacked_convs=1,
        anchor_generator=dict(
            type='AnchorGenerator', scales=[4], ratios=[1.0], strides=[8, 16, 32]
        ),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
    ),
    train_cfg=dict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1,
    ),
)
# The head reads the whole image in every step: one step with every patch, on a part of the image.
crop = dict(type='RandomCrop', crop_size=(1280, 1280))
train_pipeline = [*_base_.train_pipeline[:2], crop, *_base_.train_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
epochs = 100
exact = dict(type='exact', chunk_size=4)
train_cfg = dict(gradient=exact, max_epochs=epochs, val_interval=epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=5),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=epochs, T_max=epochs),
]
