# ../patch_deeplabv3_aerial.py without the global patch.
#   python tools/train.py configs/baselines/patch_deeplabv3_aerial_no-global.py
_base_ = ['../patch_deeplabv3_aerial.py']
model = dict(global_patch=False)
