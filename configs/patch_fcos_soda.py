# Patch-wise FCOS-R50 on SODA-D at 4096 x 4096, as in the paper (table IV).
# The paper's aggregator; large objects are found in the global patch as well (global_frame=False: as
# in the paper).
#   python tools/train.py configs/patch_fcos_soda.py
# Smaller memory: model.patch_size=256 train_dataloader.batch_size=1. The data: docs/datasets.md.
_base_ = [
    '_base_/models/patch_fcos_r50_fpn.py',
    '_base_/datasets/soda_d.py',
    '_base_/schedules/patchgd_300e_adamw.py',
    '_base_/default_runtime.py',
]
model = dict(bbox_head=dict(num_classes=9))
default_hooks = dict(checkpoint=dict(save_best='soda_d/AP', rule='greater'))
