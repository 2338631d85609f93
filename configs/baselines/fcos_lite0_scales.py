# Stock FCOS on the whole image, downsampled to 512 px: as many pixels a step as the sampled patches of
# ../patch_fcos_scales.py. Backbone, frozen blocks, head and optimizer are the same.
#   python tools/train.py configs/baselines/fcos_lite0_scales.py
_base_ = ['./fcos_lite0_scales-full.py']
# 'area' counts every pixel, as the global patch does. mmcv's default skips most of them.
resize = dict(type='Resize', scale=(512, 512), keep_ratio=True, interpolation='area')
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[2:]]
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
