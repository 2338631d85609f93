# Attention-based multiple-instance learning: as ../patch_mobilenetv2_sums.py, but for theta2.
#   python tools/train.py configs/baselines/mil_mobilenetv2_sums.py
_base_ = ['../patch_mobilenetv2_sums.py']
model = dict(
    aggregator=dict(_delete_=True, type='mmpatch.AttentionPooling', in_channels=128, channels=128),
    head=dict(_delete_=True, type='mmpretrain.LinearClsHead', num_classes=10, in_channels=128),
)
multipliers = dict(_base_.multipliers, head=dict(lr_mult=3), aggregator=dict(lr_mult=3))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=multipliers))
