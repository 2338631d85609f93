# YOLOX on the whole image at 640 px, as in the paper; neck and head of mmdet's YOLOX, with the
# backbone, frozen blocks, optimizer and augmentation of ../patch_fcos_scales.py.
#   python tools/train.py configs/baselines/yolox_lite0_scales.py
_base_ = ['./fcos_lite0_scales-full.py']

model = dict(
    _delete_=True,
    type='YOLOX',
    data_preprocessor={{_base_.model.data_preprocessor}},
    backbone={{_base_.model.backbone}},
    neck=dict(
        type='YOLOXPAFPN',
        in_channels=[40, 112, 320],
        out_channels=64,
        num_csp_blocks=1,
        norm_cfg=dict(type='GN', num_groups=4),
    ),
    bbox_head=dict(
        type='YOLOXHead',
        num_classes=1,
        in_channels=64,
        feat_channels=64,
        norm_cfg=dict(type='GN', num_groups=4),
    ),
    train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
    test_cfg=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.65), max_per_img=1000),
)

resize = dict(type='Resize', scale=(640, 640), keep_ratio=True, interpolation='area')
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[2:]]
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
