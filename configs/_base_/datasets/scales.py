# The bundled digits of all sizes at full resolution. Digits are not flipped.
_base_ = './parts/scales.py'

train_pipeline = [
    dict(type='mmpatch.LoadPatchImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='mmpatch.ColorJitter', brightness=0.2, contrast=0.2),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    # The reader of training, under the name that mmdet's DetInferencer looks for.
    dict(type='LoadImageFromFile', _scope_='mmpatch'),
    dict(type='Resize', scale_factor=1.0),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]

train_dataloader = dict(
    batch_size=1,
    num_workers=0,  # a comparison gives every training its own cores; a worker would take one more
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline, **_base_.train_set),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=test_pipeline, **_base_.val_set),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=test_pipeline, **_base_.test_set),
)
val_evaluator = _base_.val_metric
test_evaluator = _base_.test_metric
