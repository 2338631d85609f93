# ../patch_resnet50_panda.py without the global patch: PatchGD.
#   python tools/train.py configs/baselines/patch_resnet50_panda_no-global.py
_base_ = ['../patch_resnet50_panda.py']
model = dict(global_patch=False)
