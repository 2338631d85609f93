# ../patch_unet_aerial.py without the global patch.
#   python tools/train.py configs/baselines/patch_unet_aerial_no-global.py
_base_ = ['../patch_unet_aerial.py']
model = dict(global_patch=False)
