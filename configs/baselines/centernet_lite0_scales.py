# CenterNet on the whole image at 511 px, as in the paper: mmdet's, which is "Objects as
# Points" (the paper cites the keypoint triplets of the same name). Backbone, frozen blocks, optimizer
# and augmentation are those of ../patch_fcos_scales.py.
#   python tools/train.py configs/baselines/centernet_lite0_scales.py
_base_ = ['./fcos_lite0_scales-full.py']

model = dict(
    _delete_=True,
    type='CenterNet',
    data_preprocessor={{_base_.model.data_preprocessor}},
    backbone={{_base_.model.backbone}},
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

resize = dict(type='Resize', scale=(511, 511), keep_ratio=True, interpolation='area')
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[2:]]
test_pipeline = [
    dict(type='LoadImageFromFile', _scope_='mmpatch', to_float32=True),
    resize,
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
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
