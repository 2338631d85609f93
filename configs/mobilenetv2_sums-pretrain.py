# Where all classifiers of the bundled sums start from: a stock MobileNetV2 on small images of one digit or none.
#   python tools/dataset_converters/sums.py --small --out data/sums-small
#   python tools/train.py configs/mobilenetv2_sums-pretrain.py
_base_ = ['./mobilenetv2_digits-pretrain.py', '_base_/datasets/parts/sums.py']
small = dict(_base_.sums, data_root='data/sums-small/')
train_dataloader = dict(dataset=small)
val_dataloader = dict(dataset=small)
test_dataloader = dict(dataset=small)
optim_wrapper = dict(optimizer=dict(lr=5e-3))
