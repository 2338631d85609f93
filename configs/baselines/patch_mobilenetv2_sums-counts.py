# ../patch_mobilenetv2_sums.py with a theta2 that counts classes, and a head that has to learn that they add up.
#   python tools/train.py configs/baselines/patch_mobilenetv2_sums-counts.py
_base_ = ['../patch_mobilenetv2_sums.py']
model = dict(
    aggregator=dict(
        _delete_=True,
        type='mmpatch.ClassCounts',
        in_channels=128,
        classes=10,
        init_cfg=dict(_base_.start, prefix='head.'),
    ),
    head=dict(
        _delete_=True,
        type='mmpretrain.StackedLinearClsHead',
        num_classes=10,
        in_channels=9,
        mid_channels=[64],
    ),
)
multipliers = dict(_base_.multipliers, head=dict(lr_mult=20))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=multipliers))
