# mmdet's FCOS-R50 on images of 1024 x 800 px, the paper's size; the data comes with the leaf.
_base_ = ['mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', '../imports.py']

model = dict(test_cfg=dict(nms_pre=4000, max_per_img=1000))
resize = dict(type='Resize', scale=(1024, 800), keep_ratio=True)
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[3:]]
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[2:]]
default_hooks = dict(checkpoint=dict(type='mmpatch.SafeCheckpointHook'))
visualizer = dict(type='mmpatch.PatchDetVisualizer')
# mmdet's learning rate is for several devices; it is scaled to the batch.
auto_scale_lr = dict(enable=True)
