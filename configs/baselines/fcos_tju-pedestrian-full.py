# FCOS-R50 on TJU-Ped-traffic at 4096 x 4096 px with activation checkpointing: only what enters a block of
# the backbone is kept, the rest is computed again in the backward pass.
#   python tools/train.py configs/baselines/fcos_tju-pedestrian-full.py
_base_ = './fcos_tju-pedestrian.py'

model = dict(backbone=dict(with_cp=True))
resize = dict(type='Resize', scale=(4096, 4096), keep_ratio=False)
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[3:]]
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[2:]]
train_dataloader = dict(batch_size=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
