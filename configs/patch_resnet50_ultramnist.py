# UltraMNIST with ResNet50: 512 x 512 px, one of four patches of 256 px, 3 inner iterations, as in the paper.
#   python tools/train.py configs/patch_resnet50_ultramnist.py
_base_ = [
    '_base_/models/patch_resnet50_cls.py',
    '_base_/datasets/ultramnist.py',
    '_base_/schedules/patchgd_100e_adamw_cls.py',
    '_base_/default_runtime_cls.py',
]
model = dict(patch_size=256, head=dict(num_classes=28))
