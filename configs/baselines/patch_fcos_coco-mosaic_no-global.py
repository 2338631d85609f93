# ../patch_fcos_coco-mosaic.py without the global patch: PatchGD.
#   python tools/train.py configs/baselines/patch_fcos_coco-mosaic_no-global.py
_base_ = ['../patch_fcos_coco-mosaic.py']
model = dict(global_patch=False)
