# ../patch_fcos_yellowstone.py with the exact gradient: one step an epoch, with every patch. The parts
# of the image are smaller, for more steps in the same time.
#   python tools/train.py configs/baselines/patch_fcos_yellowstone_exact.py
_base_ = ['../patch_fcos_yellowstone.py']
crop = dict(type='RandomCrop', crop_size=(768, 768))
train_pipeline = [*_base_.train_pipeline[:2], crop, *_base_.train_pipeline[3:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
epochs = 200
exact = dict(type='exact', chunk_size=4)
train_cfg = dict(gradient=exact, max_epochs=epochs, val_interval=epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=5),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=epochs, T_max=epochs),
]
