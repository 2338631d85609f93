# YOLOX, patch by patch, on the trees: neck and head of baselines/yolox_lite0_yellowstone.py, the
# image at full resolution. The head reads the feature maps of all patches side by side.
#   python tools/train.py configs/patch_yolox_yellowstone.py
_base_ = ['./patch_fcos_yellowstone.py']
norm_cfg = dict(type='GN', num_groups=4)
model = dict(
    neck=dict(
        _delete_=True,
        type='YOLOXPAFPN',
        in_channels=[40, 112, 320],
        out_channels=64,
        num_csp_blocks=1,
        norm_cfg=norm_cfg,
    ),
    bbox_head=dict(
        _delete_=True,
        type='YOLOXHead',
        num_classes=1,
        in_channels=64,
        feat_channels=64,
        norm_cfg=norm_cfg,
    ),
    train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
    test_cfg=dict(
        _delete_=True, score_thr=0.01, nms=dict(type='nms', iou_threshold=0.65), max_per_img=1000
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
