# The bundled classification example: the sum of digits on 512 x 512 px, patches of 128 px, a narrow MobileNetV2 on a CPU.
#   python tools/dataset_converters/ultramnist.py   # and the small images it starts from: mobilenetv2_digits-pretrain.py
#   python tools/train.py configs/patch_mobilenetv2_digits.py
_base_ = [
    '_base_/models/patch_mobilenetv2_cls.py',
    '_base_/datasets/digits.py',
    '_base_/schedules/patchgd_100e_adamw_cls.py',
    '_base_/default_runtime_cls.py',
]
checkpoint = 'work_dirs/mobilenetv2_digits-pretrain/epoch_10.pth'
frozen = ['backbone.conv1', 'backbone.layer1', 'backbone.layer2', 'backbone.layer3']
model = dict(
    patch_size=128,
    frozen=frozen,
    norm_eval=True,
    channels_last=True,
    fusion='concat',
    background=dict(value=0),
    backbone=dict(
        widen_factor=0.25,
        out_indices=(6,),
        norm_cfg=dict(_delete_=True, type='BN'),
        init_cfg=dict(type='Pretrained', checkpoint=checkpoint, prefix='backbone.'),
    ),
    aggregator=dict(in_channels=160, channels=128),
    head=dict(in_channels=128),
)
default_hooks = dict(visualization=dict(max_images=16))
max_epochs = 3
train_cfg = dict(max_epochs=max_epochs, val_interval=1, inner_iterations=2)
optim_wrapper = dict(accumulative_counts=1)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', end=max_epochs, T_max=max_epochs, convert_to_iter_based=True),
]
