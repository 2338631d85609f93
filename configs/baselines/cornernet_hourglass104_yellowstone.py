# CornerNet on the trees at 511 x 511 px, as in the paper: mmdet's config with our data.
#   python tools/train.py configs/baselines/cornernet_hourglass104_yellowstone.py
_base_ = ['../_base_/baselines/cornernet.py', '../_base_/datasets/parts/yellowstone.py']

model = dict(bbox_head=dict(num_classes=1))
# The same for both images, of 2472 and 1249 px: objects of the same size.
resize = dict(type='Resize', scale_factor=0.207)
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[3:]]
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[2:]]
train_dataloader = dict(dataset=dict(_delete_=True, pipeline=train_pipeline, **_base_.train_set))
val_dataloader = dict(dataset=dict(_delete_=True, pipeline=test_pipeline, **_base_.val_set))
test_dataloader = dict(dataset=dict(_delete_=True, pipeline=test_pipeline, **_base_.test_set))
val_evaluator = dict(_delete_=True, **_base_.val_metric)
test_evaluator = dict(_delete_=True, **_base_.test_metric)
