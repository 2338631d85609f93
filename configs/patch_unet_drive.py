# U-Net on retina vessels (512 x 512 px), 16 patches of 128 px, as in the paper. It does not say how many carry gradient
# at a time: here 4, in 4 inner iterations.
#   python tools/train.py configs/patch_unet_drive.py
_base_ = [
    '_base_/models/patch_unet.py',
    '_base_/datasets/drive.py',
    '_base_/schedules/patchgd_100e_adamw_seg.py',
    '_base_/default_runtime_seg.py',
]
model = dict(patch_size=128)
