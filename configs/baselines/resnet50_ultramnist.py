# Stock ResNet50 on whole images of 512 x 512 px, for comparison with ../patch_resnet50_ultramnist.py.
#   python tools/train.py configs/baselines/resnet50_ultramnist.py
_base_ = [
    '../_base_/models/resnet50_cls.py',
    '../_base_/datasets/ultramnist.py',
    '../_base_/schedules/full_100e_adamw_cls.py',
    '../_base_/default_runtime_cls.py',
]
model = dict(head=dict(num_classes=28))
