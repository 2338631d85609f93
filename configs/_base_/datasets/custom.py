# Images of your own with COCO annotations, at full resolution. Training takes crops of varying size; the
# test takes whole images. Set data_root and metainfo of the three data sets, and ann_file of the metrics.
_base_ = './parts/full_resolution.py'
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
train_dataloader = dict(
    num_workers=2,
    worker_init_fn=dict(type='mmpatch.seed_worker'),
    dataset=dict(ann_file='train.json', pipeline=train_pipeline, **files),
)
val_dataloader = dict(
    num_workers=2,
    dataset=dict(ann_file='val.json', test_mode=True, pipeline=_base_.test_pipeline, **files),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='mmpatch.PatchCocoMetric', ann_file=root + 'val.json')
test_evaluator = val_evaluator
del root, files
