# CenterNet ("Objects as Points"), patch by patch, on the trees: neck and head of
# baselines/centernet_lite0_yellowstone.py, the image at full resolution.
# The head reads the whole image in every step, so the gradient is the exact one of all patches.
#   python tools/train.py configs/patch_centernet_yellowstone.py
_base_ = ['./baselines/patch_fcos_yellowstone_exact.py']
model = dict(
    type='mmpatch.PatchStitchedDetector',
    global_frame=dict(stride=4),  # CenterNet's head does not tell the stride of its map
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
