# Patch-wise FCOS-R50 on TJU-DHD-traffic at 4096 x 4096.
# The paper's aggregator; large objects are found in the global patch as well (global_frame=False: as
# in the paper).
#   python tools/train.py configs/patch_fcos_tju-traffic.py
# Smaller memory: model.patch_size=256 train_dataloader.batch_size=1. The data: docs/datasets.md.
_base_ = [
    '_base_/models/patch_fcos_r50_fpn.py',
    '_base_/datasets/tju_traffic.py',
    '_base_/schedules/patchgd_300e_adamw.py',
    '_base_/default_runtime.py',
]
model = dict(bbox_head=dict(num_classes=5))
default_hooks = dict(checkpoint=dict(save_best='coco/AP', rule='greater'))
