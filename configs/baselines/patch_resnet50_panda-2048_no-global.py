# ../patch_resnet50_panda-2048.py without the global patch: PatchGD.
#   python tools/train.py configs/baselines/patch_resnet50_panda-2048_no-global.py
_base_ = ['../patch_resnet50_panda-2048.py']
model = dict(global_patch=False)
