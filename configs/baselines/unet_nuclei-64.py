# Stock U-Net on the image downsampled to an eighth of its sides, the 64 px of a patch wide.
#   python tools/train.py configs/baselines/unet_nuclei-64.py
_base_ = ['unet_nuclei.py']
resize = dict(type='Resize', scale_factor=0.125)
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[2:]]
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
