# Stock DeepLabV3 on whole aerial images of 1024 x 1024 px, for comparison with ../patch_deeplabv3_aerial.py.
#   python tools/train.py configs/baselines/deeplabv3_aerial.py
_base_ = [
    '../_base_/models/deeplabv3.py',
    '../_base_/datasets/aerial.py',
    '../_base_/schedules/full_200e_adamw_seg.py',
    '../_base_/default_runtime_seg.py',
]
