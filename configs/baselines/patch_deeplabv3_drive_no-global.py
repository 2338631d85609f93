# ../patch_deeplabv3_drive.py without the global patch.
#   python tools/train.py configs/baselines/patch_deeplabv3_drive_no-global.py
_base_ = ['../patch_deeplabv3_drive.py']
model = dict(global_patch=False)
