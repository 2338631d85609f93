# Stock FCOS on the whole image, downsampled so that training takes the memory of
# ../patch_fcos_yellowstone.py; backbone, frozen blocks, head and optimizer are the same.
#   python tools/train.py configs/baselines/fcos_lite0_yellowstone.py
_base_ = ['./fcos_lite0_yellowstone-full.py']
resize = dict(
    type='Resize', scale_factor=0.24
)  # the same for both images: objects of the same size
train_pipeline = [*_base_.train_pipeline[:2], resize, *_base_.train_pipeline[2:]]
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
