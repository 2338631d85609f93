# Stock MobileNetV2 on the image downsampled to the 128 px of a patch.
#   python tools/train.py configs/baselines/mobilenetv2_digits-128.py
_base_ = ['mobilenetv2_digits.py']
image_scale = (128, 128)
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_scale, interpolation='area'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = val_dataloader
