# ../patch_fcos_yellowstone.py with the exact gradient: one step with every patch, on a part of the image so that
# there are as many steps.
#   python tools/train.py configs/baselines/patch_fcos_yellowstone_exact.py
_base_ = ['../patch_fcos_yellowstone.py']
crop = dict(type='RandomCrop', crop_size=(1280, 1280))
train_pipeline = [*_base_.train_pipeline[:2], crop, *_base_.train_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
epochs = 100
exact = dict(type='exact', chunk_size=4)
train_cfg = dict(gradient=exact, max_epochs=epochs, val_interval=epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=5),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=epochs, T_max=epochs),
]
