# Stock ResNet50 on slides downsampled to the 128 px of a patch.
#   python tools/train.py configs/baselines/resnet50_panda-128.py
_base_ = ['resnet50_panda.py']
image_size = 128
train_pipeline = [
    dict(type='mmpatch.LoadSlide', size=image_size),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='mmpatch.LoadSlide', size=image_size), dict(type='PackInputs')]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
