# First step to the weights that classifiers of the bundled sums start from: a stock MobileNetV2 with attention over the
# cells of its last map, on small images of up to two digits. The second one: mobilenetv2_sums-windows.py
#   python tools/dataset_converters/sums.py --small --out data/sums-small
#   python tools/train.py configs/mobilenetv2_sums-pretrain.py
_base_ = ['./mobilenetv2_digits-pretrain.py', '_base_/datasets/parts/sums.py']
model = dict(
    neck=dict(
        _delete_=True,
        type='mmpatch.AttentionPooling',
        in_channels=80,
        channels=128,
        weights='sigmoid',  # a sum: it goes on with larger images, where a mean would be drowned
    ),
    head=dict(in_channels=128),
)
small = dict(_base_.sums, data_root='data/sums-small/')
train_dataloader = dict(dataset=small)
val_dataloader = dict(dataset=small)
test_dataloader = dict(dataset=small)
optim_wrapper = dict(optimizer=dict(lr=5e-3), clip_grad=dict(max_norm=5))
