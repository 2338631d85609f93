# ../patch_resnet50_ultramnist.py without the global patch: PatchGD.
#   python tools/train.py configs/baselines/patch_resnet50_ultramnist_no-global.py
_base_ = ['../patch_resnet50_ultramnist.py']
model = dict(global_patch=False)
