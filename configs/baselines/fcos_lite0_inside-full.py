# Stock FCOS on the whole image at full resolution.
# All but data and classes is that of fcos_lite0_scales-full.py.
#   python tools/train.py configs/baselines/fcos_lite0_inside-full.py
_base_ = ['./fcos_lite0_scales-full.py', '../_base_/datasets/parts/inside.py']
model = dict(bbox_head=dict(num_classes=3))
train_dataloader = dict(dataset=_base_.inside)
val_dataloader = dict(dataset=_base_.inside)
test_dataloader = dict(dataset=_base_.inside)
val_evaluator = _base_.inside_val
test_evaluator = _base_.inside_test
