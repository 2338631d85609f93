# Stock FCOS on tiles and on the downsampled image, both predicted and merged (SAHI's standard and sliced
# prediction).
# All but data and classes is that of fcos_lite0_scales-two-scale.py.
#   python tools/train.py configs/baselines/fcos_lite0_inside-two-scale.py
_base_ = ['./fcos_lite0_scales-two-scale.py', '../_base_/datasets/parts/inside.py']
model = dict(bbox_head=dict(num_classes=3))
train_dataloader = dict(dataset=_base_.inside)
val_dataloader = dict(dataset=_base_.inside)
test_dataloader = dict(dataset=_base_.inside)
val_evaluator = _base_.inside_val
test_evaluator = _base_.inside_test
