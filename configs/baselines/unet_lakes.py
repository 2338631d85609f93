# Stock U-Net on the whole image at full resolution: as ../patch_unet_lakes.py in all but the patches. What
# other baselines inherit.
#   python tools/train.py configs/baselines/unet_lakes.py
_base_ = ['../patch_unet_lakes.py']

model = dict(
    _delete_=True,
    type='mmseg.EncoderDecoder',
    data_preprocessor=dict(_base_.model.data_preprocessor, type='mmseg.SegDataPreProcessor'),
    backbone={{_base_.model.backbone}},
    decode_head={{_base_.model.decode_head}},
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
max_epochs = 20
train_cfg = dict(
    _delete_=True, type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs
)
custom_hooks = [
    dict(type='mmpatch.DataCheckHook'),
    dict(type='mmpatch.CheckpointGuardHook'),
    dict(type='mmpatch.MemoryHook'),
    dict(type='mmpatch.BaselineSettingsHook', activation_checkpointing=[]),
]
