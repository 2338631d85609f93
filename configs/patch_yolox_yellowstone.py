# YOLOX, patch by patch, on the trees: neck and head of baselines/yolox_lite0_yellowstone.py, the
# image at full resolution. The head reads the feature maps of all patches side by side.
# The head reads the whole image in every step, so the gradient is the exact one of all patches.
#   python tools/train.py configs/patch_yolox_yellowstone.py
_base_ = ['./baselines/patch_fcos_yellowstone_exact.py']
norm_cfg = dict(type='GN', num_groups=4)
model = dict(
    type='mmpatch.PatchStitchedDetector',
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
