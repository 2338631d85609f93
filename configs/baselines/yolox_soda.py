# YOLOX-s on SODA-D at 640 x 640 px, as in the paper (table IV): mmdet's config with our data.
#   python tools/train.py configs/baselines/yolox_soda.py
_base_ = [
    'mmdet::yolox/yolox_s_8xb8-300e_coco.py',
    '../_base_/imports.py',
    '../_base_/datasets/parts/soda_d.py',
]

model = dict(bbox_head=dict(num_classes=9), test_cfg=dict(max_per_img=1000))
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
train_dataloader = dict(
    dataset=dict(dataset=dict(_delete_=True, pipeline=load, **_base_.train_set))
)
val_dataloader = dict(dataset=dict(_delete_=True, pipeline=_base_.test_pipeline, **_base_.val_set))
test_dataloader = dict(
    dataset=dict(_delete_=True, pipeline=_base_.test_pipeline, **_base_.test_set)
)
val_evaluator = dict(_delete_=True, **_base_.val_metric)
test_evaluator = dict(_delete_=True, **_base_.test_metric)
default_hooks = dict(checkpoint=dict(type='mmpatch.SafeCheckpointHook'))
visualizer = dict(type='mmpatch.PatchDetVisualizer')
