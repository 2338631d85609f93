# Stock MobileNetV2 on the whole image; weights to start from, frozen layers and optimizer as in ../patch_mobilenetv2_digits.py.
#   python tools/train.py configs/baselines/mobilenetv2_digits.py
_base_ = ['../patch_mobilenetv2_digits.py']
model = dict(
    _delete_=True,
    type='mmpretrain.ImageClassifier',
    data_preprocessor=dict(
        type='mmpretrain.ClsDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
    backbone={{_base_.model.backbone}},
    neck=dict(type='mmpretrain.GlobalAveragePooling'),
    head=dict(
        type='mmpretrain.LinearClsHead',
        num_classes=10,
        in_channels=80,
        loss=dict(type='mmpretrain.CrossEntropyLoss', loss_weight=1.0),
    ),
)
train_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=3, val_interval=1)
custom_hooks = [
    dict(type='mmpatch.DataCheckHook'),
    dict(
        type='mmpatch.BaselineSettingsHook',
        frozen={{_base_.frozen}},
        norm_eval=True,
        channels_last=True,
    ),
    dict(type='mmpatch.CheckpointGuardHook'),
    dict(type='mmpatch.MemoryHook'),
]
