# ../patch_fcos_yellowstone.py without the global patch: PatchGD.
#   python tools/train.py configs/baselines/patch_fcos_yellowstone_no-global.py
_base_ = ['../patch_fcos_yellowstone.py']
model = dict(global_patch=False)
