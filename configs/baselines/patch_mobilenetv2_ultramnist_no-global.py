# ../patch_mobilenetv2_ultramnist.py without the global patch: PatchGD.
#   python tools/train.py configs/baselines/patch_mobilenetv2_ultramnist_no-global.py
_base_ = ['../patch_mobilenetv2_ultramnist.py']
model = dict(global_patch=False)
