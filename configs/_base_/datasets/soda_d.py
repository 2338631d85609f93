# SODA-D on its original images, stretched to 4096 x 4096 px as in the paper.
_base_ = ['./parts/soda_d.py', './parts/patch_detection.py']
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline, **_base_.train_set))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline, **_base_.val_set))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline, **_base_.test_set))
val_evaluator = _base_.val_metric
test_evaluator = _base_.test_metric
