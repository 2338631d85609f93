# ../patch_fcos_coco-mosaic.py with the exact gradient: every patch, one step an image.
#   python tools/train.py configs/baselines/patch_fcos_coco-mosaic_exact.py
_base_ = ['../patch_fcos_coco-mosaic.py']
train_cfg = dict(gradient='exact')
optim_wrapper = dict(accumulative_counts=1)
