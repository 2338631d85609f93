# YOLOX on the whole image at about 640 px, as in the paper; neck and head of mmdet's YOLOX, with the
# backbone, frozen blocks, optimizer and augmentation of ../patch_fcos_yellowstone.py.
#   python tools/train.py configs/baselines/yolox_lite0_yellowstone.py
_base_ = ['./fcos_lite0_yellowstone-full.py']

model = dict(
    _delete_=True,
    data_preprocessor={{_base_.model.data_preprocessor}},
    backbone={{_base_.model.backbone}},
    **_base_.yolox,
)
resize = dict(
    type='Resize', scale_factor=0.26
)  # the same for both images: objects of the same size
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[2:]]
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
