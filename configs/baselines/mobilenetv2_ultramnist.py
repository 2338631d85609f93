# Stock MobileNetV2 on whole images of 512 x 512 px, for comparison with ../patch_mobilenetv2_ultramnist.py.
#   python tools/train.py configs/baselines/mobilenetv2_ultramnist.py
_base_ = [
    '../_base_/models/mobilenetv2_cls.py',
    '../_base_/datasets/ultramnist.py',
    '../_base_/schedules/full_100e_adamw_cls.py',
    '../_base_/default_runtime_cls.py',
]
model = dict(head=dict(num_classes=28))
