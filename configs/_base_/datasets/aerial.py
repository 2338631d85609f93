# Dubai aerial imagery at 1024 x 1024 px, buildings against the rest. Convert it: python
# tools/dataset_converters/aerial.py SOURCE --only building --out data/aerial-building
data_root = 'data/aerial-building/'
image_scale = (1024, 1024)
dataset = dict(
    type='mmpatch.PatchSegDataset',
    img_suffix='.jpg',
    seg_map_suffix='.png',
    metainfo=dict(classes=('rest', 'building'), palette=[(0, 0, 0), (60, 16, 152)]),
    how_to_get=(
        "Get Kaggle's humansintheloop/semantic-segmentation-of-aerial-imagery and run `python tools/dataset_converters/aerial.py SOURCE --only building --out data/aerial-building`"
    ),
)
train_pipeline = [
    dict(type='mmpatch.LoadPatchImage'),
    dict(type='LoadAnnotations'),
    dict(type='Resize', scale=image_scale, keep_ratio=False),
    dict(
        type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']
    ),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    # The reader of training, under the name that mmseg's MMSegInferencer looks for.
    dict(type='LoadImageFromFile', _scope_='mmpatch'),
    dict(type='Resize', scale=image_scale, keep_ratio=False),
    dict(type='LoadAnnotations'),  # after Resize: compared with masks of the original size
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=1,
    num_workers=2,
    worker_init_fn=dict(type='mmpatch.seed_worker'),
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
    num_workers=1,
    persistent_workers=True,
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
