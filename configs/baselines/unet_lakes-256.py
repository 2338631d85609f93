# Stock U-Net on the image downsampled to 256 px: as many pixels a step as the sampled patches of
# ../patch_unet_lakes.py.
#   python tools/train.py configs/baselines/unet_lakes-256.py
_base_ = ['./unet_lakes.py']
resize = dict(type='Resize', scale=(256, 256), interpolation='area')
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[2:]]
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
