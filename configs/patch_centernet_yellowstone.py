# CenterNet ("Objects as Points"), patch by patch, on the trees: neck and head of
# baselines/centernet_lite0_yellowstone.py, the image at full resolution.
#   python tools/train.py configs/patch_centernet_yellowstone.py
_base_ = ['./patch_fcos_yellowstone.py']
model = dict(
    neck=dict(
        _delete_=True,
        type='CTResNetNeck',
        in_channels=320,
        num_deconv_filters=(128, 64, 64),
        num_deconv_kernels=(4, 4, 4),
        use_dcn=False,
    ),
    bbox_head=dict(
        _delete_=True,
        type='CenterNetHead',
        num_classes=1,
        in_channels=64,
        feat_channels=64,
        loss_center_heatmap=dict(type='GaussianFocalLoss', loss_weight=1.0),
        loss_wh=dict(type='L1Loss', loss_weight=0.1),
        loss_offset=dict(type='L1Loss', loss_weight=1.0),
    ),
    test_cfg=dict(_delete_=True, topk=1000, local_maximum_kernel=3, max_per_img=1000),
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
