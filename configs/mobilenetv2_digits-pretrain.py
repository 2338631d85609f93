# Where all classifiers of the bundled digits start from: a stock MobileNetV2 on small images of one to three digits.
#   python tools/dataset_converters/ultramnist.py --digits 1 3 --side 128 --train 8000 --out data/digits-128
#   python tools/train.py configs/mobilenetv2_digits-pretrain.py
_base_ = [
    '_base_/models/mobilenetv2_cls.py',
    '_base_/datasets/digits.py',
    '_base_/schedules/full_100e_adamw_cls.py',
    '_base_/default_runtime_cls.py',
]
model = dict(
    backbone=dict(widen_factor=0.25, out_indices=(6,), norm_cfg=dict(_delete_=True, type='BN')),
    head=dict(in_channels=80),
)
data_root = 'data/digits-128/'
pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
train_dataloader = dict(batch_size=32, dataset=dict(data_root=data_root, pipeline=pipeline))
val_dataloader = dict(batch_size=32, dataset=dict(data_root=data_root, pipeline=pipeline))
test_dataloader = val_dataloader
max_epochs = 10
train_cfg = dict(max_epochs=max_epochs, val_interval=1)
optim_wrapper = dict(optimizer=dict(lr=1e-2, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(
        type='PolyLR',
        power=1.0,
        by_epoch=True,
        begin=0,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]
custom_hooks = [
    dict(type='mmpatch.DataCheckHook'),
    dict(type='mmpatch.BaselineSettingsHook', channels_last=True),
    dict(type='mmpatch.CheckpointGuardHook'),
    dict(type='mmpatch.MemoryHook'),
]
