# mmdet's CornerNet on images of 511 x 511 px, the paper's size; the data comes with the leaf.
_base_ = ['mmdet::cornernet/cornernet_hourglass104_8xb6-210e-mstest_coco.py', '../imports.py']

resize = dict(type='Resize', scale=(511, 511), keep_ratio=True)
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[2:]]
pack = dict(
    type='PackDetInputs',
    meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'border'),
)
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[1:-1], pack]
default_hooks = dict(checkpoint=dict(type='mmpatch.SafeCheckpointHook'))
visualizer = dict(type='mmpatch.PatchDetVisualizer')
# mmdet's learning rate is for several devices; it is scaled to the batch.
auto_scale_lr = dict(enable=True)
