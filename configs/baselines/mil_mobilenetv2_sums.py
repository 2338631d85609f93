# Attention-based multiple-instance learning over the patches of ../patch_mobilenetv2_sums.py, trained end to end.
#   python tools/train.py configs/baselines/mil_mobilenetv2_sums.py
_base_ = ['../patch_mobilenetv2_sums.py']
model = dict(
    neck=dict(_delete_=True, type='mmpretrain.GlobalAveragePooling'),
    aggregator=dict(_delete_=True, type='mmpatch.AttentionPooling', in_channels=80, channels=128),
    head=dict(in_channels=128),
)
train_cfg = dict(gradient=dict(type='exact', chunk_size=8))
optim_wrapper = dict(paramwise_cfg=None)
