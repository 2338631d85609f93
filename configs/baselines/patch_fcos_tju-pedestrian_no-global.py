# ../patch_fcos_tju-pedestrian.py without the global patch: PatchGD.
#   python tools/train.py configs/baselines/patch_fcos_tju-pedestrian_no-global.py
_base_ = ['../patch_fcos_tju-pedestrian.py']
model = dict(global_patch=False)
