# ../patch_fcos_yellowstone.py with the exact gradient: one step an epoch, with every patch of a part of the image.
#   python tools/train.py configs/baselines/patch_fcos_yellowstone_exact.py
_base_ = ['../patch_fcos_yellowstone.py']
epochs = 200
exact = dict(type='exact', chunk_size=4)
train_cfg = dict(gradient=exact, max_epochs=epochs, val_interval=epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=5),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=epochs, T_max=epochs),
]
