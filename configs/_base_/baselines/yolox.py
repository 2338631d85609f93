# mmdet's YOLOX-s at 640 x 640 px, the paper's size; the data comes with the leaf.
_base_ = ['mmdet::yolox/yolox_s_8xb8-300e_coco.py', '../imports.py']

model = dict(test_cfg=dict(max_per_img=1000))
train_pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
default_hooks = dict(checkpoint=dict(type='mmpatch.SafeCheckpointHook'))
visualizer = dict(type='mmpatch.PatchDetVisualizer')
# mmdet's learning rate is for several devices; it is scaled to the batch.
auto_scale_lr = dict(enable=True)
