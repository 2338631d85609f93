# Patch-wise FCOS: theta1 = ResNet50, FPN and towers; theta2 = aggregator and FCOS's last layers. The
# aggregator reads the global patch's features, as in the paper. Beyond the paper, objects that are
# too large for a patch are found in the global patch itself (global_frame).
# Often changed: model.patch_size (memory, context), model.chunk_size (speed), model.bbox_head.num_classes.
model = dict(
    type='mmpatch.PatchDetector',
    patch_size=512,
    halo=0,
    chunk_size=4,
    global_patch=True,
    fuse=True,
    data_preprocessor=dict(
        type='mmpatch.PatchDetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='ResNet',
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    neck=dict(
        type='FPN',
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        start_level=1,
        add_extra_convs='on_output',
        num_outs=5,
        relu_before_extra_convs=True,
    ),
    bbox_head=dict(
        type='mmpatch.PatchFCOSHead',
        num_classes=80,
        in_channels=256,
        stacked_convs=4,
        feat_channels=256,
        strides=[8, 16, 32, 64, 128],
        loss_region='sampled',
        aggregator=dict(kernel_size=3),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='IoULoss', loss_weight=1.0),
        loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
    ),
    test_cfg=dict(
        nms_pre=4000,
        min_bbox_size=0,
        score_thr=0.05,
        nms=dict(type='nms', iou_threshold=0.5),
        max_per_img=1000,
    ),
)
