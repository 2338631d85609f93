# Stock FCOS on tiles and on the downsampled image: one training on both, both predicted and merged
# (SAHI's standard and sliced prediction). Half of the steps see a tile, half see the whole image.
#   python tools/train.py configs/baselines/fcos_lite0_scales-two-scale.py
_base_ = ['./fcos_lite0_scales-tiles.py']
tile_size = 512

model = dict(whole_image=True)
resize = dict(
    type='Resize', scale=(tile_size, tile_size), keep_ratio=True, interpolation='area'
)  # as the model does in prediction
either = dict(type='RandomChoice', transforms=[[_base_.tile], [resize]])
train_pipeline = [*_base_.train_pipeline[:2], either, *_base_.train_pipeline[3:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
