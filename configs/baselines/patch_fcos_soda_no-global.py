# ../patch_fcos_soda.py without the global patch: PatchGD.
#   python tools/train.py configs/baselines/patch_fcos_soda_no-global.py
_base_ = ['../patch_fcos_soda.py']
model = dict(global_patch=False)
