# Mosaics of COCO at their size, 4096 x 4096 px.
_base_ = './parts/coco_mosaic.py'

train_pipeline = [
    dict(type='mmpatch.LoadPatchImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    # The reader of training, under the name that mmdet's DetInferencer looks for.
    dict(type='LoadImageFromFile', _scope_='mmpatch'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    worker_init_fn=dict(type='mmpatch.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline, **_base_.train_set),
)
loading = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **_base_.val_set), **loading)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, **_base_.test_set), **loading)
val_evaluator = _base_.val_metric
test_evaluator = _base_.test_metric
del loading
