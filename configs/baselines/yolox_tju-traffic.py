# YOLOX-s on TJU-DHD-traffic at 640 x 640 px, the size of the paper's table III: mmdet's config with our data.
#   python tools/train.py configs/baselines/yolox_tju-traffic.py
_base_ = ['../_base_/baselines/yolox.py', '../_base_/datasets/parts/tju_traffic.py']

model = dict(bbox_head=dict(num_classes=5))
train_dataloader = dict(
    dataset=dict(dataset=dict(_delete_=True, pipeline=_base_.train_pipeline, **_base_.train_set))
)
val_dataloader = dict(dataset=dict(_delete_=True, pipeline=_base_.test_pipeline, **_base_.val_set))
test_dataloader = dict(
    dataset=dict(_delete_=True, pipeline=_base_.test_pipeline, **_base_.test_set)
)
val_evaluator = dict(_delete_=True, **_base_.val_metric)
test_evaluator = dict(_delete_=True, **_base_.test_metric)
