# RetinaNet, patch by patch, on the trees: mmdet's own head reads the feature maps of all patches
# side by side, and those of the global patch as an image of its own.
# The head reads the whole image in every step, so the gradient is the exact one of all patches.
#   python tools/train.py configs/patch_retinanet_yellowstone.py
_base_ = ['./baselines/patch_fcos_yellowstone_exact.py']
model = dict(
    type='mmpatch.PatchStitchedDetector',
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
        loss_cls=dict(
            type='mmpatch.PatchFocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0
        ),
    ),
    train_cfg=dict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1,
    ),
)
