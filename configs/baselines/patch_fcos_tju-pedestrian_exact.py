# ../patch_fcos_tju-pedestrian.py with the exact gradient: every patch, one step an image.
#   python tools/train.py configs/baselines/patch_fcos_tju-pedestrian_exact.py
_base_ = ['../patch_fcos_tju-pedestrian.py']
train_cfg = dict(gradient='exact')
optim_wrapper = dict(accumulative_counts=1)
