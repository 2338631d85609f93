# PANDA at 4096 x 4096 px, 7 % of 256 patches of 256 px at a time, 11 inner iterations, as in the paper.
#   python tools/train.py configs/patch_resnet50_panda-4096.py
_base_ = ['patch_resnet50_panda.py']
load = dict(type='mmpatch.LoadSlide', size=4096)
train_pipeline = [load, *_base_.train_pipeline[1:]]
test_pipeline = [load, *_base_.test_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
model = dict(patch_size=256)
train_cfg = dict(sampling_rate=0.07, inner_iterations=11)
