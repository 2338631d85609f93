# UltraMNIST with MobileNetV2 for both networks: 512 x 512 px, one of four patches of 256 px, 3 inner iterations, as in
# the paper, which trained it in 4 GB.
#   python tools/train.py configs/patch_mobilenetv2_ultramnist.py
_base_ = [
    '_base_/models/patch_mobilenetv2_cls.py',
    '_base_/datasets/ultramnist.py',
    '_base_/schedules/patchgd_100e_adamw_cls.py',
    '_base_/default_runtime_cls.py',
]
model = dict(
    patch_size=256,
    aggregator=dict(_delete_=True, type='mmpatch.LatentMobileNetV2', in_channels=1280),
    head=dict(num_classes=28, in_channels=1280),
)
