# ../patch_fcos_tju-traffic.py without the global patch: PatchGD.
#   python tools/train.py configs/baselines/patch_fcos_tju-traffic_no-global.py
_base_ = ['../patch_fcos_tju-traffic.py']
model = dict(global_patch=False)
