# Stock ResNet50 on whole images of 512 x 512 px, for comparison with ../patch_resnet50_panda.py.
#   python tools/train.py configs/baselines/resnet50_panda.py
_base_ = [
    '../_base_/models/resnet50_cls.py',
    '../_base_/datasets/panda.py',
    '../_base_/schedules/full_100e_adamw_cls.py',
    '../_base_/default_runtime_cls.py',
]
