# Stock FCOS on the whole image, downsampled to 512 px.
# All but data and classes is that of fcos_lite0_scales.py.
#   python tools/train.py configs/baselines/fcos_lite0_inside.py
_base_ = ['./fcos_lite0_scales.py', '../_base_/datasets/parts/inside.py']
model = dict(bbox_head=dict(num_classes=3))
train_dataloader = dict(dataset=_base_.inside)
val_dataloader = dict(dataset=_base_.inside)
test_dataloader = dict(dataset=_base_.inside)
val_evaluator = _base_.inside_val
test_evaluator = _base_.inside_test
