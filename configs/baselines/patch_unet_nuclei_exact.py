# ../patch_unet_nuclei.py with the exact gradient: one step an image, so twice the epochs for as many steps.
#   python tools/train.py configs/baselines/patch_unet_nuclei_exact.py
_base_ = ['../patch_unet_nuclei.py']
max_epochs = 200
train_cfg = dict(gradient=dict(type='exact', chunk_size=4), max_epochs=max_epochs, val_interval=40)
optim_wrapper = dict(accumulative_counts=1)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=10),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, T_max=max_epochs),
]
default_hooks = dict(checkpoint=dict(interval=40))
