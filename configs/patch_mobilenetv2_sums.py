# The bundled classification of large images: the sum of small digits on 2048 x 2048 px, a narrow MobileNetV2 on a CPU.
#   python tools/dataset_converters/sums.py   # and the small images it starts from: mobilenetv2_sums-pretrain.py
#   python tools/train.py configs/patch_mobilenetv2_sums.py
_base_ = ['./patch_mobilenetv2_digits.py', '_base_/datasets/parts/sums.py']
checkpoint = 'work_dirs/mobilenetv2_sums-pretrain/epoch_10.pth'
model = dict(
    background=None,
    backbone=dict(init_cfg=dict(checkpoint=checkpoint)),
    # A few of 256 patches hold a digit: what they hold is added up, the mean would drown it.
    aggregator=dict(
        _delete_=True,
        type='mmpatch.AttentionPooling',
        in_channels=160,
        channels=128,
        weights='sigmoid',
    ),
)
train_dataloader = dict(batch_size=2, dataset=_base_.sums)
val_dataloader = dict(batch_size=1, dataset=_base_.sums)
test_dataloader = dict(batch_size=1, dataset=_base_.sums)
