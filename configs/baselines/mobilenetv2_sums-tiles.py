# ../patch_mobilenetv2_sums.py on random tiles that have the label of their image. In prediction all tiles vote: the head
# reads the mean of their features.
#   python tools/train.py configs/baselines/mobilenetv2_sums-tiles.py
_base_ = ['../patch_mobilenetv2_sums.py']
tile = dict(type='RandomCrop', crop_size=256)
pipeline = [_base_.sums.pipeline[0], tile, _base_.sums.pipeline[1]]
model = dict(
    halo=0,
    aggregator=None,
    head=dict(
        _delete_=True,
        type='mmpretrain.LinearClsHead',
        num_classes=10,
        in_channels=128,
        init_cfg=dict(_base_.start, prefix='head.'),
    ),
)
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=pipeline))
train_cfg = dict(gradient='exact', val_interval=10)  # an epoch has 19 steps
optim_wrapper = dict(paramwise_cfg=None)
