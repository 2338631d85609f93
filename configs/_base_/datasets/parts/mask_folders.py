# Images and masks of two classes in folders, for any segmentor; which folders, and what size, comes with the data set.
flips = dict(
    type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']
)
train_pipeline = [
    dict(type='mmpatch.LoadPatchImage'),
    dict(type='LoadAnnotations'),
    dict(type='Resize', scale=(512, 512), keep_ratio=False),
    flips,
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    # The reader of training, under the name that mmseg's MMSegInferencer looks for.
    dict(type='LoadImageFromFile', _scope_='mmpatch'),
    dict(type='Resize', scale=(512, 512), keep_ratio=False),
    dict(type='LoadAnnotations'),  # after Resize: compared with masks of the original size
    dict(type='PackSegInputs'),
]
folders = dict(
    type='mmpatch.PatchSegDataset', data_prefix=dict(img_path='images', seg_map_path='masks')
)
train_dataloader = dict(
    batch_size=1,
    num_workers=2,
    worker_init_fn=dict(type='mmpatch.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline, **folders),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(test_mode=True, pipeline=test_pipeline, **folders),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='mmpatch.PatchSegMetric')
test_evaluator = val_evaluator
del flips, folders
