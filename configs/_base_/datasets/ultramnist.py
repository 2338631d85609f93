# UltraMNIST as the paper trains it: 28 classes, 512 x 512 px. Generate it, or split Kaggle's images (4000 px), which
# end in '.jpeg' (train_dataloader.dataset.suffix=.jpeg, and so on):
#   python tools/dataset_converters/ultramnist.py --classes 28 --train 22400 --val 2800 --test 2801 --out data/ultramnist
#   python tools/dataset_converters/ultramnist.py --kaggle FOLDER --out data/ultramnist
data_root = 'data/ultramnist/'
image_scale = (512, 512)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_scale, interpolation='area'),
    dict(type='PackInputs'),
]
test_pipeline = train_pipeline
dataset = dict(type='mmpatch.UltraMNISTDataset', data_root=data_root, suffix='.png')
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    worker_init_fn=dict(type='mmpatch.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file='train.csv', data_prefix='train', pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file='val.csv',
        data_prefix='val',
        test_mode=True,
        pipeline=test_pipeline,
        **dataset,
    ),
)
test_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file='test.csv',
        data_prefix='test',
        test_mode=True,
        pipeline=test_pipeline,
        **dataset,
    ),
)
val_evaluator = [dict(type='Accuracy'), dict(type='mmpatch.WeightedKappa')]
test_evaluator = val_evaluator
del data_root, image_scale, dataset
