# Is a small digit inside a large fence, or outside? Patches see digits, the global patch sees fences, and
# the aggregator brings both together (`fuse`).
#   python tools/dataset_converters/inside.py && python tools/model_converters/efficientnet_lite0.py
#   python tools/train.py configs/patch_fcos_inside.py
_base_ = ['./patch_fcos_scales.py', './_base_/datasets/parts/inside.py']
# The global patch is the very image that the two-scale peer downsamples to; a fence is 3 px wide in it.
model = dict(fuse=True, bbox_head=dict(num_classes=3))
train_dataloader = dict(dataset=_base_.inside)
val_dataloader = dict(dataset=_base_.inside)
test_dataloader = dict(dataset=_base_.inside)
val_evaluator = _base_.inside_val
test_evaluator = _base_.inside_test
train_cfg = dict(global_iteration=False)  # it rides along with one patch of 512 px
