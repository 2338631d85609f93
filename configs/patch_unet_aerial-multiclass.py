# U-Net on aerial images, all five classes at once: cross entropy and Dice over the classes. Convert the data with
#   python tools/dataset_converters/aerial.py SOURCE --out data/aerial
#   python tools/train.py configs/patch_unet_aerial-multiclass.py
_base_ = ['patch_unet_aerial.py', '_base_/models/parts/multiclass.py']
model = dict(decode_head=dict(num_classes=5, out_channels=5, **_base_.multiclass))
data_root = 'data/aerial/'
dataset = dict(
    metainfo=dict(
        classes=('building', 'land', 'road', 'vegetation', 'water'),
        palette=[(60, 16, 152), (132, 41, 246), (110, 193, 228), (254, 221, 58), (226, 169, 41)],
    ),
    how_to_get=(
        "Get Kaggle's humansintheloop/semantic-segmentation-of-aerial-imagery and run "
        '`python tools/dataset_converters/aerial.py SOURCE --out data/aerial`'
    ),
)
train_dataloader = dict(dataset=dict(data_root=data_root + 'train', **dataset))
val_dataloader = dict(dataset=dict(data_root=data_root + 'test', **dataset))
test_dataloader = val_dataloader
