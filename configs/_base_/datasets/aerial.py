# Dubai aerial imagery at 1024 x 1024 px, buildings against the rest. Convert it: python
# tools/dataset_converters/aerial.py SOURCE --only building --out data/aerial-building
_base_ = './parts/mask_folders.py'
resize = dict(type='Resize', scale=(1024, 1024), keep_ratio=False)
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[3:]]
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[2:]]
files = dict(
    img_suffix='.jpg',
    seg_map_suffix='.png',
    metainfo=dict(classes=('rest', 'building'), palette=[(0, 0, 0), (60, 16, 152)]),
    how_to_get=(
        "Get Kaggle's humansintheloop/semantic-segmentation-of-aerial-imagery and run `python tools/dataset_converters/aerial.py SOURCE --only building --out data/aerial-building`"
    ),
)
train_dataloader = dict(
    dataset=dict(data_root='data/aerial-building/train', pipeline=train_pipeline, **files)
)
val_dataloader = dict(
    dataset=dict(data_root='data/aerial-building/test', pipeline=test_pipeline, **files)
)
test_dataloader = val_dataloader
del resize, files
