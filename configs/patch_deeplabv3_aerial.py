# DeepLabV3 on aerial images (1024 x 1024 px), 16 patches of 256 px, as in the paper. It does not say how many carry gradient
# at a time: here 4, in 4 inner iterations.
#   python tools/train.py configs/patch_deeplabv3_aerial.py
_base_ = [
    '_base_/models/patch_deeplabv3.py',
    '_base_/datasets/aerial.py',
    '_base_/schedules/patchgd_100e_adamw_seg.py',
    '_base_/default_runtime_seg.py',
]
model = dict(patch_size=256)
