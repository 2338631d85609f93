# PANDA: slides of prostate biopsies, 512 px on their longer side, white around them. Splits of the paper's sizes:
#   python tools/dataset_converters/panda.py data/panda
data_root = 'data/panda/'
image_size = 512
train_pipeline = [
    dict(type='mmpatch.LoadSlide', size=image_size),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='mmpatch.LoadSlide', size=image_size), dict(type='PackInputs')]
dataset = dict(
    type='mmpatch.PandaDataset',
    data_root=data_root,
    ann_file='train.csv',
    data_prefix='train_images',
)
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    worker_init_fn=dict(type='mmpatch.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(split_file='splits/train.txt', pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(split_file='splits/val.txt', test_mode=True, pipeline=test_pipeline, **dataset),
)
test_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(split_file='splits/test.txt', test_mode=True, pipeline=test_pipeline, **dataset),
)
val_evaluator = [dict(type='Accuracy'), dict(type='mmpatch.WeightedKappa')]
test_evaluator = val_evaluator
del data_root, image_size, dataset
