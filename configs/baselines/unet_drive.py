# Stock U-Net on whole retina vessels of 512 x 512 px, for comparison with ../patch_unet_drive.py.
#   python tools/train.py configs/baselines/unet_drive.py
_base_ = [
    '../_base_/models/unet.py',
    '../_base_/datasets/drive.py',
    '../_base_/schedules/full_200e_adamw_seg.py',
    '../_base_/default_runtime_seg.py',
]
