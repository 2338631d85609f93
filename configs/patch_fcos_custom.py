# FCOS-R50 for your own COCO annotations, at full resolution. Inherit it and name your files and classes, as
# README.md shows. It follows patch_fcos_scales.py; with ResNet50 nothing was measured.
#   python tools/train.py my_config.py
_base_ = [
    '_base_/models/patch_fcos_r50_fpn.py',
    '_base_/datasets/custom.py',
    '_base_/schedules/patchgd_24e_adamw.py',
    '_base_/default_runtime.py',
]
model = dict(
    fuse=False,  # True: context for small objects, as in the paper
    test_halo=128,  # a multiple of the largest stride
    bbox_head=dict(
        num_classes=1,
        norm_on_bbox=True,
        centerness_on_reg=True,
        center_sampling=True,
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
    ),
)
default_hooks = dict(checkpoint=dict(save_best='coco/AP', rule='greater'))
