# PANDA at 512 x 512 px, 3 of 16 patches of 128 px at a time, 4 inner iterations, as in the paper.
#   python tools/train.py configs/patch_resnet50_panda.py
_base_ = [
    '_base_/models/patch_resnet50_cls.py',
    '_base_/datasets/panda.py',
    '_base_/schedules/patchgd_100e_adamw_cls.py',
    '_base_/default_runtime_cls.py',
]
model = dict(patch_size=128, background=dict(value=255))
train_cfg = dict(sampling_rate=0.2, inner_iterations=4)
