# The bundled digits of all sizes at full resolution. Digits are not flipped.
_base_ = ['./parts/scales.py', './parts/full_resolution.py']

train_pipeline = [
    dict(type='mmpatch.LoadPatchImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='mmpatch.ColorJitter', brightness=0.2, contrast=0.2),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    num_workers=0,  # a comparison gives every training its own cores; a worker would take one more
    dataset=dict(pipeline=train_pipeline, **_base_.train_set),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline, **_base_.val_set))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline, **_base_.test_set))
val_evaluator = _base_.val_metric
test_evaluator = _base_.test_metric
