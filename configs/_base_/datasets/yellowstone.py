# The bundled trees at full resolution.
_base_ = ['./parts/yellowstone.py', './parts/full_resolution.py']

train_pipeline = [
    dict(type='mmpatch.LoadPatchImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']
    ),
    dict(type='mmpatch.ColorJitter', brightness=0.2, contrast=0.2),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    num_workers=0,  # one image an epoch: a worker would be started anew for each, which is slower
    dataset=dict(pipeline=train_pipeline, **_base_.train_set),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline, **_base_.val_set))
test_dataloader = val_dataloader
val_evaluator = _base_.val_metric
test_evaluator = _base_.test_metric
