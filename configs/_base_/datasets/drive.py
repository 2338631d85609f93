# Retina vessels at 512 x 512 px, from the official DRIVE set or Kaggle's. Convert them: python
# tools/dataset_converters/drive.py SOURCE
_base_ = './parts/mask_folders.py'
files = dict(
    img_suffix='.png',
    seg_map_suffix='.png',
    metainfo=dict(classes=('background', 'vessel'), palette=[(0, 0, 0), (6, 230, 230)]),
    how_to_get=(
        "Get DRIVE (https://drive.grand-challenge.org) or Kaggle's abdallahwagih/retina-blood-vessel and run `python tools/dataset_converters/drive.py SOURCE`"
    ),
)
train_dataloader = dict(dataset=dict(data_root='data/drive/train', **files))
val_dataloader = dict(dataset=dict(data_root='data/drive/test', **files))
test_dataloader = val_dataloader
del files
