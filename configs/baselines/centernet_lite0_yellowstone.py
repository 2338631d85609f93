# CenterNet on the whole image at about 511 px, as in the paper: mmdet's, which is "Objects as
# Points" (the paper cites the keypoint triplets of the same name). Backbone, frozen blocks, optimizer
# and augmentation are those of ../patch_fcos_yellowstone.py.
#   python tools/train.py configs/baselines/centernet_lite0_yellowstone.py
_base_ = ['./fcos_lite0_yellowstone-full.py']

model = dict(
    _delete_=True,
    data_preprocessor={{_base_.model.data_preprocessor}},
    backbone={{_base_.model.backbone}},
    **_base_.centernet,
)
resize = dict(
    type='Resize', scale_factor=0.207
)  # the same for both images: objects of the same size
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[2:]]
test_pipeline = [_base_.centernet_load, resize, *_base_.centernet_packing]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
