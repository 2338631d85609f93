# How to make a detector that you have patch-wise: mmdet's own FCOS config and the lines below.
# Images are trained on and tested at 4096 x 4096 instead of 1333 x 800.
_base_ = 'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'
custom_imports = dict(imports=['mmpatch.engine', 'mmpatch.models'])

model = dict(
    type='mmpatch.PatchDetector',
    patch_size=512,
    data_preprocessor=dict(type='mmpatch.PatchDetDataPreprocessor'),
    bbox_head=dict(type='mmpatch.PatchFCOSHead'),
    test_cfg=dict(max_per_img=1000),
)
train_cfg = dict(_delete_=True, type='mmpatch.PatchGDTrainLoop', max_epochs=12, sampling_rate=0.1)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(4096, 4096), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
