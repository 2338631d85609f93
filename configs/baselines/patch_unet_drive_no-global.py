# ../patch_unet_drive.py without the global patch.
#   python tools/train.py configs/baselines/patch_unet_drive_no-global.py
_base_ = ['../patch_unet_drive.py']
model = dict(global_patch=False)
