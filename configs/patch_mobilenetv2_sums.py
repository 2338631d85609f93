# The bundled classification of large images: the sum of small digits on 2048 x 2048 px, a narrow MobileNetV2 on a CPU.
#   python tools/dataset_converters/sums.py   # and the weights that it starts from: mobilenetv2_sums-windows.py
#   python tools/train.py configs/patch_mobilenetv2_sums.py
_base_ = ['./patch_mobilenetv2_digits.py', '_base_/datasets/parts/sums.py']
start = dict(
    type='Pretrained', checkpoint='work_dirs/mobilenetv2_sums-windows/epoch_6.pth', prefix=''
)
model = dict(
    patch_size=256,
    halo=32,  # half of a digit: each lies whole in the window of the patch that has its middle
    global_patch=False,  # a digit has 5 to 8 px in it
    background=None,
    backbone=dict(init_cfg=dict(start, prefix='backbone.')),
    neck=dict(
        type='mmpatch.AttentionPooling',
        in_channels=80,
        channels=128,
        weights='sigmoid',
        init_cfg=dict(start, prefix='neck.'),
    ),
    aggregator=dict(
        _delete_=True,
        type='mmpatch.ClassSum',
        in_channels=128,
        classes=10,
        num_classes=10,
        init_cfg=dict(start, prefix='head.'),  # the sum of a patch
    ),
    head=dict(_delete_=True, type='mmpretrain.ClsHead'),
)
train_dataloader = dict(batch_size=2, dataset=_base_.sums)
val_dataloader = dict(batch_size=1, dataset=_base_.sums)
test_dataloader = dict(batch_size=1, dataset=_base_.sums)
train_cfg = dict(sampling_rate=0.125)
multipliers = dict(backbone=dict(lr_mult=0.1), neck=dict(lr_mult=0.1))  # they are pretrained
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=multipliers))
