# Stock ResNet50 on images downsampled to the 256 px of a patch.
#   python tools/train.py configs/baselines/resnet50_ultramnist-256.py
_base_ = ['resnet50_ultramnist.py']
image_scale = (256, 256)
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_scale, interpolation='area'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = val_dataloader
