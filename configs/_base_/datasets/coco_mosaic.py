# Mosaics of COCO at their size, 4096 x 4096 px.
_base_ = ['./parts/coco_mosaic.py', './parts/patch_detection.py']
# They are not resized.
train_pipeline = [*_base_.train_pipeline[:2], *_base_.train_pipeline[3:]]
test_pipeline = [_base_.test_pipeline[0], *_base_.test_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **_base_.train_set))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **_base_.val_set))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, **_base_.test_set))
val_evaluator = _base_.val_metric
test_evaluator = _base_.test_metric
