# FCOS-R50 on TJU-DHD-traffic at 1024 x 800 px, as in the paper: mmdet's config with our data.
#   python tools/train.py configs/baselines/fcos_tju-traffic.py
_base_ = [
    'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    '../_base_/imports.py',
    '../_base_/datasets/parts/tju_traffic.py',
]

model = dict(bbox_head=dict(num_classes=5), test_cfg=dict(nms_pre=4000, max_per_img=1000))
resize = dict(type='Resize', scale=(1024, 800), keep_ratio=True)
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[3:]]
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[2:]]
train_dataloader = dict(dataset=dict(_delete_=True, pipeline=train_pipeline, **_base_.train_set))
val_dataloader = dict(dataset=dict(_delete_=True, pipeline=test_pipeline, **_base_.val_set))
test_dataloader = dict(dataset=dict(_delete_=True, pipeline=test_pipeline, **_base_.test_set))
val_evaluator = dict(_delete_=True, **_base_.val_metric)
test_evaluator = dict(_delete_=True, **_base_.test_metric)
default_hooks = dict(checkpoint=dict(type='mmpatch.SafeCheckpointHook'))
visualizer = dict(type='mmpatch.PatchDetVisualizer')
