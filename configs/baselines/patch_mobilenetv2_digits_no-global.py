# ../patch_mobilenetv2_digits.py without the global patch: PatchGD.
#   python tools/train.py configs/baselines/patch_mobilenetv2_digits_no-global.py
_base_ = ['../patch_mobilenetv2_digits.py']
model = dict(global_patch=False, aggregator=dict(in_channels=80))
