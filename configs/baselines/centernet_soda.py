# CenterNet-R18 on SODA-D at 511 x 511 px, as in the paper (table IV): mmdet's config with our data. It is
# "Objects as Points"; the paper cites the keypoint triplets of the same name, which mmdet lacks.
#   python tools/train.py configs/baselines/centernet_soda.py
_base_ = [
    'mmdet::centernet/centernet_r18-dcnv2_8xb16-crop512-140e_coco.py',
    '../_base_/imports.py',
    '../_base_/datasets/parts/soda_d.py',
]

model = dict(bbox_head=dict(num_classes=9))
resize = dict(type='Resize', scale=(511, 511), keep_ratio=True)
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[2:]]
pack = dict(
    type='PackDetInputs',
    meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'border'),
)
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[1:-1], pack]
train_dataloader = dict(
    dataset=dict(dataset=dict(_delete_=True, pipeline=train_pipeline, **_base_.train_set))
)
val_dataloader = dict(dataset=dict(_delete_=True, pipeline=test_pipeline, **_base_.val_set))
test_dataloader = dict(dataset=dict(_delete_=True, pipeline=test_pipeline, **_base_.test_set))
val_evaluator = dict(_delete_=True, **_base_.val_metric)
test_evaluator = dict(_delete_=True, **_base_.test_metric)
default_hooks = dict(checkpoint=dict(type='mmpatch.SafeCheckpointHook'))
visualizer = dict(type='mmpatch.PatchDetVisualizer')
