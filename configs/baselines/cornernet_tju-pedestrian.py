# CornerNet on TJU-Ped-traffic at 511 x 511 px, the size of the paper's table III: mmdet's config with our data.
#   python tools/train.py configs/baselines/cornernet_tju-pedestrian.py
_base_ = ['../_base_/baselines/cornernet.py', '../_base_/datasets/parts/tju_pedestrian.py']

model = dict(bbox_head=dict(num_classes=1))
train_dataloader = dict(
    dataset=dict(_delete_=True, pipeline=_base_.train_pipeline, **_base_.train_set)
)
val_dataloader = dict(dataset=dict(_delete_=True, pipeline=_base_.test_pipeline, **_base_.val_set))
test_dataloader = dict(
    dataset=dict(_delete_=True, pipeline=_base_.test_pipeline, **_base_.test_set)
)
val_evaluator = dict(_delete_=True, **_base_.val_metric)
test_evaluator = dict(_delete_=True, **_base_.test_metric)
