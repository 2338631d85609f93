# The bundled classification of large images: the sum of small digits on 2048 x 2048 px, a narrow MobileNetV2 on a CPU.
#   python tools/dataset_converters/sums.py   # and the weights that it starts from: mobilenetv2_sums-pretrain.py
#   python tools/train.py configs/patch_mobilenetv2_sums.py
_base_ = ['./patch_mobilenetv2_digits.py', '_base_/datasets/parts/sums.py']
load_from = 'work_dirs/mobilenetv2_sums-pretrain/epoch_10.pth'
model = dict(
    patch_size=256,
    halo=32,  # half of a digit: each lies whole in the window of the patch that has its middle
    global_patch=False,  # a digit has 4 to 8 px in it
    background=None,
    backbone=dict(init_cfg=None),
    neck=dict(type='mmpatch.AttentionPooling', in_channels=80, channels=128, weights='sigmoid'),
    aggregator=dict(_delete_=True, type='mmpatch.SumPooling'),
)
train_dataloader = dict(batch_size=2, dataset=_base_.sums)
val_dataloader = dict(batch_size=1, dataset=_base_.sums)
test_dataloader = dict(batch_size=1, dataset=_base_.sums)
