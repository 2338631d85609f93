# Stock ResNet50 on whole images of 2048 x 2048 px, for comparison with ../patch_resnet50_panda-2048.py.
#   python tools/train.py configs/baselines/resnet50_panda-2048.py
_base_ = ['resnet50_panda.py']
image_size = 2048
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
