# Where all classifiers of the bundled sums start from: mobilenetv2_sums-pretrain.py goes on with images as large as windows.
#   python tools/dataset_converters/sums.py --windows --out data/sums-windows
#   python tools/train.py configs/mobilenetv2_sums-windows.py
_base_ = ['./mobilenetv2_sums-pretrain.py']
load_from = 'work_dirs/mobilenetv2_sums-pretrain/epoch_10.pth'
windows = dict(_base_.sums, data_root='data/sums-windows/')
train_dataloader = dict(batch_size=16, dataset=windows)
val_dataloader = dict(batch_size=16, dataset=windows)
test_dataloader = dict(batch_size=16, dataset=windows)
max_epochs = 6
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_epochs),
]
