# Images of your own with COCO annotations, at full resolution. Training takes crops of varying size; the
# test takes whole images. Set data_root and metainfo of the three data sets, and ann_file of the metrics.
root = 'data/custom/'
files = dict(
    type='mmpatch.PatchCocoDataset',
    data_root=root,
    data_prefix=dict(img='images/'),
    metainfo=dict(classes=('object',), palette=None),
)
train_pipeline = [
    dict(type='mmpatch.LoadPatchImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    # The largest crop should be about as large as the images to predict: the global patch shows both at one scale.
    dict(
        type='RandomCrop',
        crop_type='absolute_range',
        crop_size=(1536, 2048),
        allow_negative_crop=True,
    ),
    dict(type='RandomFlip', prob=0.5),
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
    num_workers=2,
    worker_init_fn=dict(type='mmpatch.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file='train.json', pipeline=train_pipeline, **files),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file='val.json', test_mode=True, pipeline=test_pipeline, **files),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='mmpatch.PatchCocoMetric', ann_file=root + 'val.json')
test_evaluator = val_evaluator
del root, files
