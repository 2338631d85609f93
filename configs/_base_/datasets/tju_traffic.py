# TJU-DHD-traffic, stretched to 4096 x 4096 px.
_base_ = ['./parts/tju_traffic.py', './parts/patch_detection.py']
load = dict(type='mmpatch.LoadPatchImage', on_error='skip')
train_pipeline = [load, *_base_.train_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **_base_.train_set))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline, **_base_.val_set))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline, **_base_.test_set))
val_evaluator = _base_.val_metric
test_evaluator = _base_.test_metric
