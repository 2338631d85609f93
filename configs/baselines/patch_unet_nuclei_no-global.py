# ../patch_unet_nuclei.py without the global patch.
#   python tools/train.py configs/baselines/patch_unet_nuclei_no-global.py
_base_ = ['../patch_unet_nuclei.py']
model = dict(global_patch=False)
