# Heads and necks of the stock detectors that are compared with ../models/patch_fcos_lite0_fpn.py, at a size
# for CPUs. A leaf adds the backbone of that model.
fcos_preprocessor = dict(
    type='DetDataPreprocessor',
    mean=[127.0, 127.0, 127.0],
    std=[128.0, 128.0, 128.0],
    bgr_to_rgb=True,
    pad_size_divisor=32,
)
fcos_head = dict(
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
)
yolox = dict(
    type='YOLOX',
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
centernet = dict(
    type='CenterNet',
    neck=dict(
        type='CTResNetNeck',
        in_channels=320,
        num_deconv_filters=(128, 64, 64),
        num_deconv_kernels=(4, 4, 4),
        use_dcn=False,
    ),
    bbox_head=dict(
        type='CenterNetHead',
        num_classes=1,
        in_channels=64,
        feat_channels=64,
        loss_center_heatmap=dict(type='GaussianFocalLoss', loss_weight=1.0),
        loss_wh=dict(type='L1Loss', loss_weight=0.1),
        loss_offset=dict(type='L1Loss', loss_weight=1.0),
    ),
    train_cfg=None,
    test_cfg=dict(topk=1000, local_maximum_kernel=3, max_per_img=1000),
)
# What CenterNet's head needs of a test image, after loading and resizing.
centernet_load = dict(type='LoadImageFromFile', _scope_='mmpatch', to_float32=True)
centernet_packing = [
    dict(
        type='RandomCenterCropPad',  # pads as CenterNet's head expects
        ratios=None,
        border=None,
        mean=[0, 0, 0],
        std=[1, 1, 1],
        to_rgb=True,
        test_mode=True,
        test_pad_mode=['logical_or', 31],
        test_pad_add_pix=1,
    ),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'border'),
    ),
]
