# ../patch_fcos_yellowstone.py with the exact gradient: every patch, one step an image.
#   python tools/train.py configs/baselines/patch_fcos_yellowstone_exact.py
_base_ = ['../patch_fcos_yellowstone.py']
train_cfg = dict(gradient=dict(type='exact', chunk_size=4))
