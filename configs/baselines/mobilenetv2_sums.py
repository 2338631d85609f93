# Stock MobileNetV2 on the downsampled image; weights to start from, frozen layers and optimizer as in ../patch_mobilenetv2_sums.py.
#   python tools/train.py configs/baselines/mobilenetv2_sums.py
_base_ = ['./mobilenetv2_digits.py', '../_base_/datasets/parts/sums.py']
start = dict(
    type='Pretrained', checkpoint='work_dirs/mobilenetv2_sums-windows/epoch_6.pth', prefix=''
)
model = dict(
    backbone=dict(with_cp=False, init_cfg=dict(start, prefix='backbone.')),
    neck=dict(
        _delete_=True,
        type='mmpatch.AttentionPooling',
        in_channels=80,
        channels=128,
        weights='sigmoid',
        init_cfg=dict(start, prefix='neck.'),
    ),
    head=dict(in_channels=128, init_cfg=dict(start, prefix='head.')),
)
resize = dict(type='Resize', scale=(512, 512), interpolation='area')
dataset = dict(_base_.sums, pipeline=[_base_.sums.pipeline[0], resize, _base_.sums.pipeline[1]])
train_dataloader = dict(batch_size=2, dataset=dataset)
val_dataloader = dict(batch_size=1, dataset=dataset)
test_dataloader = dict(batch_size=1, dataset=dataset)
